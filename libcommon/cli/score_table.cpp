#include "cli/score_table.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "core/files.h"

namespace sr {
namespace {

std::vector<std::string> column_names(const ScoreTableLayout& layout) {
  auto names = layout.labels;
  for (const auto& column : layout.columns) names.push_back(column.name);
  return names;
}

/// An object has one value under a name: a fact that is called like a column gives way.
void tell_facts_apart(ScoreTableLayout& layout) {
  const auto columns = column_names(layout);
  for (auto& [fact, text] : layout.facts) {
    while (std::find(columns.begin(), columns.end(), fact) != columns.end()) fact += "_fact";
  }
}

/// What would end a cell or mean something else in Markdown.
std::string markdown(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text)) {
    if (std::string_view("|\\`*_<[&~").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

/// In braces, since a row that begins with [ or * would be an argument of the line before.
std::string latex(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
      case '%':
      case '$':
      case '#':
      case '_':
      case '{':
      case '}': escaped += fmt::format("\\{}", c); break;
      case '\\': escaped += "\\textbackslash{}"; break;
      case '~': escaped += "\\textasciitilde{}"; break;
      case '^': escaped += "\\textasciicircum{}"; break;
      case '<': escaped += "\\textless{}"; break;
      case '>': escaped += "\\textgreater{}"; break;
      case '|': escaped += "\\textbar{}"; break;
      case '"': escaped += "\\textquotedbl{}"; break;
      default: escaped += c;
    }
  }
  const bool argument = !text.empty() && (text[0] == '[' || text[0] == '*');
  return argument ? fmt::format("{{}}{}", escaped) : escaped;
}

/// Where "--" would end an HTML comment.
std::string comment_text(std::string text) {
  for (size_t at = text.find("--"); at != std::string::npos; at = text.find("--", at))
    text.replace(at, 2, "- -");
  return text;
}

std::string comment(const ScoreTableLayout& layout) {
  std::string text;
  for (const auto& [fact, value] : layout.facts) {
    const auto line = fmt::format("{}: {}", fact, tsv_escape(value));
    text += layout.format == TableFormat::md ? fmt::format("<!-- {} -->\n", comment_text(line))
                                             : fmt::format("% {}\n", line);
  }
  return text;
}

std::string rounded(const Score& score, const ScoreColumn& column, bool in_latex) {
  if (!score) return {};
  if (std::isfinite(*score)) return fmt::format("{:.{}f}", *score, column.digits);
  if (std::isnan(*score)) return "nan";
  const auto* infinity = in_latex ? "$\\infty$" : "∞";
  return *score > 0 ? infinity : fmt::format("{}{}", in_latex ? "$-$" : "-", infinity);
}

std::string_view arrow(const ScoreColumn& column, bool in_latex) {
  if (!column.higher_is_better) return "";
  if (in_latex) return *column.higher_is_better ? " $\\uparrow$" : " $\\downarrow$";
  return *column.higher_is_better ? " ↑" : " ↓";
}

std::string joined(const std::vector<std::string>& cells, bool in_latex) {
  return in_latex ? fmt::format("{} \\\\\n", fmt::join(cells, " & "))
                  : fmt::format("| {} |\n", fmt::join(cells, " | "));
}

std::string header(const ScoreTableLayout& layout) {
  const bool in_latex = layout.format == TableFormat::latex;
  std::vector<std::string> cells;
  for (const auto& label : layout.labels) cells.push_back(in_latex ? latex(label) : markdown(label));
  for (const auto& column : layout.columns) {
    const auto name = in_latex ? latex(column.name) : markdown(column.name);
    cells.push_back(fmt::format("{}{}", name, arrow(column, in_latex)));
  }
  const auto line = joined(cells, in_latex);
  if (in_latex) {
    return fmt::format("\\begin{{tabular}}{{{}{}}}\n\\toprule\n{}\\midrule\n",
                       std::string(layout.labels.size(), 'l'), std::string(layout.columns.size(), 'r'), line);
  }
  std::vector<std::string> rules(layout.labels.size(), ":--");
  rules.insert(rules.end(), layout.columns.size(), "--:");
  return line + joined(rules, false);
}

}  // namespace

TableFormat table_format(std::string_view name) {
  if (name == "tsv") return TableFormat::tsv;
  if (name == "json") return TableFormat::json;
  if (name == "md") return TableFormat::md;
  if (name == "latex") return TableFormat::latex;
  throw UsageError(fmt::format("'{}' is no format of tables (tsv, json, md, latex)", name));
}

ScoreTable::ScoreTable(std::FILE* out, std::string name, ScoreTableLayout layout)
    : out_(out), name_(std::move(name)), layout_(std::move(layout)) {
  if (layout_.format == TableFormat::json) tell_facts_apart(layout_);
  if (layout_.format == TableFormat::tsv || layout_.format == TableFormat::json) {
    const auto format = layout_.format == TableFormat::json ? RecordFormat::json : RecordFormat::tsv;
    records_.emplace(out_, name_, RecordLayout{column_names(layout_), layout_.facts, format, layout_.header});
  } else if (layout_.header) {
    write_text(out_, name_, comment(layout_) + header(layout_));
  }
}

void ScoreTable::row(std::span<const std::string> labels, std::span<const Score> scores) {
  if (labels.size() != layout_.labels.size() || scores.size() != layout_.columns.size()) {
    throw Error(fmt::format("a row of {} and {} cells does not fit a table of {} and {}", labels.size(),
                            scores.size(), layout_.labels.size(), layout_.columns.size()));
  }
  if (!records_) return write_text(out_, name_, text_row(labels, scores));
  std::vector<Field> fields(labels.begin(), labels.end());
  for (const auto& score : scores) {
    fields.emplace_back(std::monostate{});
    if (score) fields.back() = *score;
  }
  records_->write(fields);
}

void ScoreTable::summary(std::span<const std::string> labels, std::span<const Score> scores) {
  if (!in_summary_ && layout_.format == TableFormat::latex && layout_.header)
    write_text(out_, name_, "\\midrule\n");
  in_summary_ = true;
  row(labels, scores);
}

void ScoreTable::finish() {
  if (layout_.format == TableFormat::latex && layout_.header)
    write_text(out_, name_, "\\bottomrule\n\\end{tabular}\n");
}

std::string ScoreTable::text_row(std::span<const std::string> labels, std::span<const Score> scores) const {
  const bool in_latex = layout_.format == TableFormat::latex;
  std::vector<std::string> cells;
  for (const auto& label : labels) cells.push_back(in_latex ? latex(label) : markdown(label));
  for (size_t i = 0; i < scores.size(); i++)
    cells.push_back(rounded(scores[i], layout_.columns[i], in_latex));
  return joined(cells, in_latex);
}

}  // namespace sr
