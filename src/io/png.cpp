#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>

#include "vitcl/backend/error.hpp"
#include "vitcl/io/atomic_file.hpp"
#include "vitcl/io/image.hpp"

namespace vitcl::io {
namespace {

// libpng reports an error by longjmp. Each function below that calls setjmp holds only trivially destructible objects
// and lets its caller own all memory.

constexpr size_t signature_bytes = 8;

/// The last error, for the text of the exception.
struct Failure {
  std::array<char, 200> text{};
};

void on_error(png_structp png, png_const_charp message) {
  auto* failure = static_cast<Failure*>(png_get_error_ptr(png));
  std::strncpy(failure->text.data(), message, failure->text.size() - 1);
  png_longjmp(png, 1);
}
void on_warning(png_structp, png_const_charp) {}

struct Reader {
  Failure failure;
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &failure, on_error, on_warning);
  png_infop info = png == nullptr ? nullptr : png_create_info_struct(png);
  Reader() = default;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
};

struct Writer {
  Failure failure;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &failure, on_error, on_warning);
  png_infop info = png == nullptr ? nullptr : png_create_info_struct(png);
  Writer() = default;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { png_destroy_write_struct(&png, &info); }
};

/// The header, and transforms to 8-bit grey, grey + alpha, RGB or RGBA.
bool read_header(Reader& reader, std::FILE* file) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  constexpr png_uint_32 longest_side = 1U << 20;
  png_init_io(reader.png, file);
  png_set_user_limits(reader.png, longest_side, longest_side);
  png_read_info(reader.png, reader.info);
  png_set_expand(reader.png);  // palettes, fewer than 8 bits, a transparent colour
  png_set_scale_16(reader.png);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

bool read_rows(Reader& reader, png_bytep* rows) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_read_image(reader.png, rows);
  png_read_end(reader.png, nullptr);
  return true;
}

std::vector<png_bytep> row_pointers(uint8_t* pixels, size_t height, size_t row_bytes) {
  std::vector<png_bytep> rows(height);
  for (size_t y = 0; y < height; ++y) rows[y] = pixels + y * row_bytes;
  return rows;
}

/// Lays samples with an alpha channel over black.
std::vector<uint8_t> without_alpha(const std::vector<uint8_t>& samples, size_t colours) {
  std::vector<uint8_t> result;
  result.reserve(samples.size() / (colours + 1) * colours);
  for (size_t pixel = 0; pixel < samples.size(); pixel += colours + 1)
    for (size_t c = 0; c < colours; ++c) {
      const unsigned product = unsigned{samples[pixel + c]} * samples[pixel + colours];
      result.push_back(static_cast<uint8_t>((product + 127) / 255));
    }
  return result;
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Image decode(std::FILE* file) {
  std::array<png_byte, signature_bytes> signature{};
  const size_t count = std::fread(signature.data(), 1, signature.size(), file);
  if (count != signature.size() || png_sig_cmp(signature.data(), 0, signature.size()) != 0)
    throw DataError("it is no PNG file");
  std::rewind(file);

  Reader reader;
  if (reader.info == nullptr) throw DataError("libpng could not be started");
  if (!read_header(reader, file)) throw DataError(reader.failure.text.data());
  const size_t width = png_get_image_width(reader.png, reader.info);
  const size_t height = png_get_image_height(reader.png, reader.info);
  if (width * height > most_image_pixels)
    throw DataError(fmt::format("it has {} x {} pixels, more than the {} allowed", width, height, most_image_pixels));
  const size_t samples = png_get_channels(reader.png, reader.info);
  Image image{width, height, samples <= 2 ? size_t{1} : size_t{3}, std::vector<uint8_t>(width * height * samples)};
  std::vector<png_bytep> rows = row_pointers(image.pixels.data(), height, width * samples);
  if (!read_rows(reader, rows.data())) throw DataError(reader.failure.text.data());
  if (samples != image.channels) image.pixels = without_alpha(image.pixels, image.channels);
  return image;
}

void append(png_structp png, png_bytep bytes, size_t count) {
  auto* encoded = static_cast<std::vector<uint8_t>*>(png_get_io_ptr(png));
  encoded->insert(encoded->end(), bytes, bytes + count);
}
void flush(png_structp) {}

bool encode(Writer& writer, const Image& image, png_bytep* rows, std::vector<uint8_t>* encoded) {
  if (setjmp(png_jmpbuf(writer.png)) != 0) return false;
  png_set_write_fn(writer.png, encoded, append, flush);
  png_set_IHDR(writer.png, writer.info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height),
               8, image.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(writer.png, writer.info);
  png_write_image(writer.png, rows);
  png_write_end(writer.png, nullptr);
  return true;
}

}  // namespace

Image read_png(const std::filesystem::path& path) {
  try {
    if (std::error_code error; std::filesystem::is_directory(path, error)) throw DataError("it is a folder");
    errno = 0;
    const File file(std::fopen(path.c_str(), "rb"), std::fclose);
    if (!file) throw DataError(std::generic_category().message(errno));
    return decode(file.get());
  } catch (const DataError& error) {
    throw DataError(fmt::format("can't read the image {}: {}. A PNG file is wanted.", path.string(), error.what()));
  }
}

void write_png(const std::filesystem::path& path, const Image& image) {
  const auto refuse = [&](const char* why) {
    throw StorageError(fmt::format("can't save the image {} of {} x {} x {}: {}", path.string(), image.width,
                                   image.height, image.channels, why));
  };
  if (image.channels != 1 && image.channels != 3) refuse("1 or 3 channels are wanted");
  if (image.pixels.size() != image.width * image.height * image.channels) refuse("it has another number of pixels");
  Writer writer;
  if (writer.info == nullptr) refuse("libpng could not be started");
  std::vector<uint8_t> encoded, samples = image.pixels;
  std::vector<png_bytep> rows = row_pointers(samples.data(), image.height, image.width * image.channels);
  if (!encode(writer, image, rows.data(), &encoded)) refuse(writer.failure.text.data());
  AtomicFile file(path);
  file.write(encoded);
  file.commit();
}

}  // namespace vitcl::io
