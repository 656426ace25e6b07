#pragma once
// Many small pictures as one, in rows, with a line of text beneath each: what people look over at a glance.

#include <string>
#include <vector>

#include "core/files.h"
#include "core/torch.h"

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

/// The same as a picture file in the format of its name ("sheet.png", "sheet.jpg[Q=90]"), whole or not there.
/// Throws Error that names it.
void write_contact_sheet(const fs::path& file, const std::vector<SheetCell>& cells, int columns);

/// Two pictures of one height as one, with a line between them: for a pair that shares a caption.
Tensor side_by_side(const Tensor& left, const Tensor& right);

}  // namespace sr
