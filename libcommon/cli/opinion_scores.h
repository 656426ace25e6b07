#pragma once
// Mean opinion scores as they are published, by name of the picture. Layouts, told apart by what is there:
//
// - KonIQ-10k: koniq10k_scores_and_distributions.csv, whose columns are image_name, c1 ... c5, c_total, MOS,
//   SD, MOS_zscore; and every table like it: parted by commas, tabs or semicolons (with decimal commas or
//   points), fields in quotes or not, a header line with a column of names (image_name, image, name, file
//   ...; else the first) and one called MOS. No line is a comment: pictures' names may begin with #.
// - Two columns without a header: name, score.
// - LIVE In the Wild: AllMOS_release.mat (1 x 1169) beside AllImages_release.mat (a cell array of
//   1169 names), or the folder of both, or the one above it (Data/). Its first seven are training pictures,
//   t1.bmp ..., in Images/trainingImages; most papers leave them out, and so does who scores Images/ alone.
// - PIPAL: Train_Label, a folder of A0001.txt ..., lines "A0001_00_00.bmp,1425.71"; or one such file. A name
//   is A<reference>_<class>_<variant> (HaomingCai/PIPAL-dataset issue 13). The classes are not named in the
//   release; their numbers of variants (12, 16, 10, 24, 13, 14, 27) are those of arXiv:2011.15002 table 10:
//   00 traditional SR, 01 PSNR-oriented SR, 02 SR with kernel mismatch, 03 GAN-based SR, 04 denoising,
//   05 SR and denoising jointly, 06 traditional distortions. Tables of such names get the columns
//   `reference`, `type` (the class, with its name) and `variant` (class_variant).
// - Ma et al.: mean_subject_scores.txt, 1620 numbers without names. That they follow the pictures is all that
//   is said; the authors' training script (chaoma99/sr-metric, train_RF_regression.m) takes the scores column
//   by column from a table with a row for each of the 180 source, scale and blur settings and a column for
//   each method. Names come from a list, which then decides.

#include <string>
#include <vector>

#include "core/log.h"

namespace sr {

struct OpinionOptions {
  std::string name_column, score_column;  ///< by the header's name or as a number from 1; empty: found
  std::string names;                      ///< for scores without names: a list, or a folder of pictures in
                                          ///< byte order
};

struct Opinion {
  std::string name;
  double score = 0;
  std::vector<std::string> cells;  ///< of the other columns
};

struct Opinions {
  std::vector<std::string> columns;  ///< the others, by which pictures can be grouped
  std::vector<Opinion> rows;
  bool nameless = false;  ///< numbers alone; the names are empty
};

/// Reads any of these. Throws UsageError that names the file, and the line where one is bad.
Opinions read_opinions(const std::string& path, const OpinionOptions& options, Log& log);

}  // namespace sr
