#include "weights/dtype.h"

#include <array>

namespace sr {
namespace {

constexpr std::array<DtypeNames, 12> kNames{{
    {at::kDouble, "F64", "DoubleStorage", "float64", "f8"},
    {at::kFloat, "F32", "FloatStorage", "float32", "f4"},
    {at::kHalf, "F16", "HalfStorage", "float16", "f2"},
    {at::kBFloat16, "BF16", "BFloat16Storage", "bfloat16", ""},
    {at::kLong, "I64", "LongStorage", "int64", "i8"},
    {at::kInt, "I32", "IntStorage", "int32", "i4"},
    {at::kShort, "I16", "ShortStorage", "int16", "i2"},
    {at::kChar, "I8", "CharStorage", "int8", "i1"},
    {at::kByte, "U8", "ByteStorage", "uint8", "u1"},
    {at::kBool, "BOOL", "BoolStorage", "bool", "b1"},
    {at::kComplexFloat, "", "ComplexFloatStorage", "complex64", "c8"},
    {at::kComplexDouble, "", "ComplexDoubleStorage", "complex128", "c16"},
}};

}  // namespace

std::optional<at::ScalarType> dtype_named(std::string_view DtypeNames::*vocabulary, std::string_view name) {
  for (const DtypeNames& row : kNames) {
    if (!name.empty() && row.*vocabulary == name) return row.type;
  }
  return std::nullopt;
}

std::optional<std::string_view> dtype_name(std::string_view DtypeNames::*vocabulary, at::ScalarType type) {
  for (const DtypeNames& row : kNames) {
    if (row.type == type && !(row.*vocabulary).empty()) return row.*vocabulary;
  }
  return std::nullopt;
}

}  // namespace sr
