#pragma once
// Many small pictures as one, in rows, with a line of text beneath each: what people look over at a glance.

#include <string>
#include <vector>

#include "core/files.h"
#include "core/torch.h"
#include "image/encode.h"

namespace sr {

struct SheetCell {
  Tensor picture;       ///< [1,h,w] or [3,h,w], float in [0,1] (values beyond are clamped)
  std::string caption;  ///< a line beneath, cut to the picture's width; empty: none
};

/// The cells in rows of `columns` on white, each column as wide as its widest picture and each row as high as
/// its highest: uint8 [3,H,W], interleaved in memory. Captions are libvips' (Pango), in whatever font the
/// system has; where it draws no text, they are left out. Throws Error where there is no cell, or one holds
/// no such picture.
Tensor contact_sheet(const std::vector<SheetCell>& cells, int columns);

/// A sheet's file, which the format of its name decides ("sheet.png", "sheet.jpg[Q=90]").
struct SheetFile {
  fs::path path;
  Format format;
};

/// Throws UsageError where the name has no extension of a picture, or save options that libvips doesn't know.
SheetFile sheet_file(const std::string& name);

/// Writes such a sheet, whole or not at all. Throws Error that names the file.
void write_contact_sheet(const SheetFile& file, const std::vector<SheetCell>& cells, int columns);

/// Two pictures of one height as one, with a line between them: for a pair that shares a caption.
Tensor side_by_side(const Tensor& left, const Tensor& right);

}  // namespace sr
