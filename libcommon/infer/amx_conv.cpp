#include "infer/amx_conv.h"

#ifdef __AMX_BF16__

#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sr::amx {
namespace {

constexpr int kTileBytes = 1024;
constexpr int kTileRowBytes = 64;

/// What LDTILECFG reads: eight tiles of 16 rows of 64 bytes.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

bool processor_has_instructions() {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned kAvx512 = 1u << 16 | 1u << 30 | 1u << 31;  // F, BW, VL in ebx
  constexpr unsigned kAmx = 1u << 22 | 1u << 24;                // BF16, TILE in edx
  if ((b & kAvx512) != kAvx512 || (d & kAmx) != kAmx) return false;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & 1u << 5);  // AVX512_BF16
}

/// Linux gives the 8 KiB of tile state only to processes that ask.
bool system_grants_tiles() {
  constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;               // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

/// What becomes of the sums once they leave the tile registers: activation, residuals, rounding. This is done
/// a pixel at a time while the matrix unit works on the next block; done in one go it would keep that unit
/// waiting for a quarter of the time.
template <int kRows>
class Finisher {
 public:
  explicit Finisher(const Band& band)
      : band_(band), scale_(_mm512_set1_ps(band.scale)), outer_scale_(_mm512_set1_ps(band.outer_scale)) {}

  /// Takes the sums of `block` at `x` from tiles 0 to 5.
  void take(int block, int x) {
    store_tiles();
    output_ = band_.output + block * kRows;
    slope_ = _mm512_load_ps(band_.slope + block * kOutputChannels);
    x_ = x;
    next_ = 0;
    pixels_ = band_.width - x < kTilePixels ? band_.width - x : kTilePixels;
  }

  /// Finishes the next pixel of every row, if one is left.
  void step() {
    if (next_ == pixels_) return;
    for (int row = 0; row < kRows; ++row) finish(output_[row], sums_[row][next_], x_ + next_);
    ++next_;
  }

  void finish_all() {
    while (next_ < pixels_) step();
  }

 private:
  void store_tiles() {
    _tile_stored(0, sums_[0], kTileRowBytes);
    if constexpr (kRows > 1) _tile_stored(1, sums_[1], kTileRowBytes);
    if constexpr (kRows > 2) _tile_stored(2, sums_[2], kTileRowBytes);
    if constexpr (kRows > 3) _tile_stored(3, sums_[3], kTileRowBytes);
    if constexpr (kRows > 4) _tile_stored(4, sums_[4], kTileRowBytes);
    if constexpr (kRows > 5) _tile_stored(5, sums_[5], kTileRowBytes);
  }

  void finish(const OutputRow& row, const float* sum, long x) const {
    __m512 v = _mm512_load_ps(sum);
    // Not max and min: they would turn a NaN into a number, and the engine looks for NaN.
    v = _mm512_mask_mul_ps(v, _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LT_OQ), v, slope_);
    const long in = x * kOutputChannels, out = x * band_.output_step;
    if (row.residual) v = _mm512_fmadd_ps(v, scale_, _mm512_load_ps(row.residual + in));
    if (row.outer_residual) v = _mm512_fmadd_ps(v, outer_scale_, _mm512_load_ps(row.outer_residual + in));
    if (row.fp32) _mm512_store_ps(row.fp32 + out * kOutputChannels, v);
    if (row.bf16)
      _mm256_store_si256(reinterpret_cast<__m256i*>(static_cast<Pixel*>(row.bf16) + out),
                         reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(v)));
  }

  const Band& band_;
  const __m512 scale_, outer_scale_;
  __m512 slope_ = {};
  const OutputRow* output_ = nullptr;
  int x_ = 0, next_ = 0, pixels_ = 0;
  alignas(64) float sums_[kRows][kTilePixels][kOutputChannels];
};

/// Puts the biases into tiles 0 to 5. The tile intrinsics paste their register number into assembly, so that
/// each has to be spelt out.
template <int kRows>
inline void start_sums(const float* bias) {
  constexpr int kSameForEveryPixel = 0;  // the stride
  _tile_loadd(0, bias, kSameForEveryPixel);
  if constexpr (kRows > 1) _tile_loadd(1, bias, kSameForEveryPixel);
  if constexpr (kRows > 2) _tile_loadd(2, bias, kSameForEveryPixel);
  if constexpr (kRows > 3) _tile_loadd(3, bias, kSameForEveryPixel);
  if constexpr (kRows > 4) _tile_loadd(4, bias, kSameForEveryPixel);
  if constexpr (kRows > 5) _tile_loadd(5, bias, kSameForEveryPixel);
}

/// Adds one tap of 32 channels for 16 pixels of every row.
template <int kRows>
inline void add_tap(const Pixel* const* row, int x, const char* weights) {
  _tile_loadd(7, weights, kTileRowBytes);
  _tile_loadd(6, row[0] + x, kTileRowBytes);
  _tile_dpbf16ps(0, 6, 7);
  if constexpr (kRows > 1) {
    _tile_loadd(6, row[1] + x, kTileRowBytes);
    _tile_dpbf16ps(1, 6, 7);
  }
  if constexpr (kRows > 2) {
    _tile_loadd(6, row[2] + x, kTileRowBytes);
    _tile_dpbf16ps(2, 6, 7);
  }
  if constexpr (kRows > 3) {
    _tile_loadd(6, row[3] + x, kTileRowBytes);
    _tile_dpbf16ps(3, 6, 7);
  }
  if constexpr (kRows > 4) {
    _tile_loadd(6, row[4] + x, kTileRowBytes);
    _tile_dpbf16ps(4, 6, 7);
  }
  if constexpr (kRows > 5) {
    _tile_loadd(6, row[5] + x, kTileRowBytes);
    _tile_dpbf16ps(5, 6, 7);
  }
}

/// Sums all taps and channels of one block of outputs at `x`. Channels run outermost: the nine taps of 32
/// channels then read the same few kilobytes again.
template <int kRows>
inline void accumulate(const Band& band, int block, int x, Finisher<kRows>& previous) {
  start_sums<kRows>(band.bias + block * kOutputChannels);
  const int taps = band.kernel_rows * band.kernel_columns;
  auto* weights = static_cast<const char*>(band.weights) + long{block} * band.chunks * taps * kTileBytes;
  for (int chunk = 0; chunk < band.chunks; ++chunk)
    for (int ky = 0; ky < band.kernel_rows; ++ky) {
      const Pixel* const* row = band.input + chunk * (kRows + band.kernel_rows - 1) + ky;
      for (int kx = 0; kx < band.kernel_columns; ++kx, weights += kTileBytes) {
        add_tap<kRows>(row, x + kx, weights);
        previous.step();
      }
    }
}

template <int kRows>
void convolve_rows(const Band& band) {
  Finisher<kRows> finisher(band);
  for (int x = 0; x < band.width; x += kTilePixels)
    for (int block = 0; block < band.blocks; ++block) {
      accumulate<kRows>(band, block, x, finisher);
      finisher.finish_all();
      finisher.take(block, x);
    }
  finisher.finish_all();
}

}  // namespace

bool available() {
  static const bool ready = processor_has_instructions() && system_grants_tiles();
  return ready;
}

Tiles::Tiles() {
  // Static, as the intrinsic tells the compiler of its first bytes only, and a local's others would not be
  // written.
  static constexpr TileConfig config;
  _tile_loadconfig(&config);
}

Tiles::~Tiles() { _tile_release(); }

void convolve(const Band& band) {
  switch (band.rows) {
    case 1: return convolve_rows<1>(band);
    case 2: return convolve_rows<2>(band);
    case 3: return convolve_rows<3>(band);
    case 4: return convolve_rows<4>(band);
    case 5: return convolve_rows<5>(band);
    case 6: return convolve_rows<6>(band);
  }
}

}  // namespace sr::amx

#else

namespace sr::amx {

bool available() { return false; }
Tiles::Tiles() {}
Tiles::~Tiles() {}
void convolve(const Band&) {}

}  // namespace sr::amx

#endif
