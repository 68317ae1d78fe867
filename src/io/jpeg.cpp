#include <fmt/format.h>
#include <jerror.h>
#include <jpeglib.h>  // needs <cstdio> before it

#include <algorithm>
#include <array>
#include <cerrno>
#include <csetjmp>
#include <cstdio>
#include <memory>
#include <string>
#include <system_error>

#include "vitcl/backend/error.hpp"
#include "vitcl/io/image.hpp"

namespace vitcl::io {
namespace {

// libjpeg reports an error by longjmp, as libpng does: functions that call setjmp hold only trivially destructible
// objects and let their callers own all memory.

struct Failure {
  jpeg_error_mgr manager{};  // first: libjpeg hands back its address
  std::jmp_buf jump{};
  std::array<char, JMSG_LENGTH_MAX> text{};
};

[[noreturn]] void on_error(j_common_ptr info) {
  auto* failure = reinterpret_cast<Failure*>(info->err);
  info->err->format_message(info, failure->text.data());
  std::longjmp(failure->jump, 1);
}

/// Of the warnings (level -1) those count as errors behind which pixels are made up.
void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
      on_error(info);
    default:
      break;
  }
}

/// A small file with thousands of scans, each over all pixels, would take hours. Encoders make about ten.
void on_progress(j_common_ptr info) {
  constexpr int most_scans = 100;
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= most_scans) return;
  auto* failure = reinterpret_cast<Failure*>(info->err);
  std::snprintf(failure->text.data(), failure->text.size(), "it has more than %d scans", most_scans);
  std::longjmp(failure->jump, 1);
}

struct Reader {
  Failure failure;
  jpeg_progress_mgr progress{};
  jpeg_decompress_struct jpeg{};
  Reader() {
    jpeg.err = jpeg_std_error(&failure.manager);
    failure.manager.error_exit = on_error;
    failure.manager.emit_message = on_message;
    progress.progress_monitor = on_progress;
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { jpeg_destroy_decompress(&jpeg); }
};

bool read_header(Reader& reader, std::FILE* file) {
  if (setjmp(reader.failure.jump) != 0) return false;
  jpeg_create_decompress(&reader.jpeg);
  reader.jpeg.progress = &reader.progress;
  jpeg_stdio_src(&reader.jpeg, file);
  jpeg_read_header(&reader.jpeg, TRUE);
  return true;
}

bool read_rows(Reader& reader, uint8_t* pixels, size_t row_bytes) {
  if (setjmp(reader.failure.jump) != 0) return false;
  reader.jpeg.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&reader.jpeg);
  while (reader.jpeg.output_scanline < reader.jpeg.output_height) {
    JSAMPROW row = pixels + reader.jpeg.output_scanline * row_bytes;
    jpeg_read_scanlines(&reader.jpeg, &row, 1);
  }
  jpeg_finish_decompress(&reader.jpeg);
  return true;
}

Image decode(std::FILE* file) {
  Reader reader;
  if (!read_header(reader, file)) throw DataError(reader.failure.text.data());
  const size_t width = reader.jpeg.image_width, height = reader.jpeg.image_height;
  if (width * height > most_image_pixels)
    throw DataError(fmt::format("it has {} x {} pixels, more than the {} allowed", width, height, most_image_pixels));
  if (reader.jpeg.num_components == 4) throw DataError("its colours are CMYK; save it as RGB or grey");
  const size_t channels = reader.jpeg.jpeg_color_space == JCS_GRAYSCALE ? 1 : 3;
  reader.jpeg.out_color_space = channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  Image image{width, height, channels, std::vector<uint8_t>(width * height * channels)};
  if (!read_rows(reader, image.pixels.data(), width * channels)) throw DataError(reader.failure.text.data());
  return image;
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

/// Throws DataError without the path.
File open_regular(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (std::filesystem::is_directory(status)) throw DataError("it is a folder");
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    throw DataError("it is no regular file");
  errno = 0;
  File file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) throw DataError(std::generic_category().message(errno));
  return file;
}

}  // namespace

Image read_jpeg(const std::filesystem::path& path) {
  try {
    return decode(open_regular(path).get());
  } catch (const DataError& error) {
    throw DataError(fmt::format("can't read the image {}: {}. A JPEG file is wanted.", path.string(), error.what()));
  }
}

Image read_image(const std::filesystem::path& path) {
  std::array<uint8_t, 3> first{};
  try {
    const File file = open_regular(path);
    if (std::fread(first.data(), 1, first.size(), file.get()) != first.size())
      throw DataError("it is empty or cut off");
    constexpr std::array<uint8_t, 3> jpeg{0xFF, 0xD8, 0xFF}, png{0x89, 'P', 'N'};
    if (first != jpeg && first != png) throw DataError("it is neither a PNG nor a JPEG file");
  } catch (const DataError& error) {
    throw DataError(
        fmt::format("can't read the image {}: {}. A PNG or JPEG file is wanted.", path.string(), error.what()));
  }
  return first[0] == 0xFF ? read_jpeg(path) : read_png(path);
}

}  // namespace vitcl::io
