#include "download.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <system_error>

#include "vitcl/backend/error.hpp"

namespace vitcl::data {
namespace {

namespace fs = std::filesystem;

/// One request and what came of it.
struct Transfer {
  std::FILE* file = nullptr;
  uint64_t have = 0, most = 0;
  bool too_long = false;
  const std::function<void(uint64_t, uint64_t)>* progress = nullptr;
};

size_t on_data(char* bytes, size_t size, size_t count, void* user) {
  auto* transfer = static_cast<Transfer*>(user);
  transfer->have += size * count;
  transfer->too_long = transfer->have > transfer->most;
  if (transfer->too_long) return 0;
  return std::fwrite(bytes, size, count, transfer->file);
}

int on_progress(void* user, curl_off_t total, curl_off_t /*now*/, curl_off_t, curl_off_t) {
  const auto* transfer = static_cast<Transfer*>(user);
  if (*transfer->progress) (*transfer->progress)(transfer->have, total > 0 ? static_cast<uint64_t>(total) : 0);
  return 0;
}

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Handle new_handle() {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  Handle handle(curl_easy_init(), curl_easy_cleanup);
  if (!handle) throw DataError("libcurl could not be started");
  return handle;
}

void set_options(CURL* curl, const std::string& url, const DownloadLimits& limits, Transfer& transfer, char* error) {
  constexpr long most_redirects = 5, connect_seconds = 30, slow_bytes = 100;
  const char* protocols = limits.https_only ? "https" : "https,http";
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  if (const char* authorities = std::getenv("SSL_CERT_FILE")) curl_easy_setopt(curl, CURLOPT_CAINFO, authorities);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, protocols);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, protocols);
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, most_redirects);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, connect_seconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, slow_bytes);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, limits.patience);
  curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(transfer.have));
  curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(limits.bytes));
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
}

std::string in_words(CURLcode code, const char* error, long status) {
  std::string detail = *error == '\0' ? curl_easy_strerror(code) : error;
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
      return fmt::format("can't be reached ({}), perhaps this machine is offline", detail);
    case CURLE_HTTP_RETURNED_ERROR:
      return fmt::format("answered with status {}", status);
    case CURLE_PEER_FAILED_VERIFICATION:
      return fmt::format(
          "has a certificate that is not to be trusted ({}); SSL_CERT_FILE can name a file of authorities "
          "to trust instead of the system's",
          detail);
    case CURLE_SSL_CACERT_BADFILE:
      return fmt::format(
          "can't be trusted without a file of authorities ({}); install the package ca-certificates, or "
          "name such a file in SSL_CERT_FILE",
          detail);
    case CURLE_TOO_MANY_REDIRECTS:
      return "redirects in circles";
    case CURLE_OPERATION_TIMEDOUT:
      return fmt::format("is too slow ({}); what came is kept, the next try goes on behind it", detail);
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
      return fmt::format("cut the connection ({}); what came is kept, the next try goes on behind it", detail);
    default:
      return detail;
  }
}

/// What a finished request means; false where the server can't go on behind what is there.
bool judge(CURLcode code, long status, const Transfer& transfer, const DownloadLimits& limits, const char* error) {
  constexpr long range_not_satisfiable = 416;
  if (transfer.too_long || code == CURLE_FILESIZE_EXCEEDED)
    throw DataError(fmt::format("sends more than the {} bytes that the file may have", limits.bytes));
  if (code == CURLE_RANGE_ERROR || status == range_not_satisfiable) return false;
  if (code == CURLE_WRITE_ERROR) throw StorageError("can't write the download: is the disk full?");
  if (code != CURLE_OK) throw DataError(in_words(code, error, status));
  return true;
}

}  // namespace

void download(const std::string& url, const fs::path& part, const DownloadLimits& limits,
              const std::function<void(uint64_t, uint64_t)>& progress) {
  const Handle curl = new_handle();
  for (const bool goes_on : {true, false}) {
    std::error_code ignored;
    if (!goes_on) fs::remove(part, ignored);
    File file(std::fopen(part.c_str(), "ab"), std::fclose);
    if (!file) throw StorageError(fmt::format("can't write {}", part.string()));
    Transfer transfer{file.get(), fs::file_size(part), limits.bytes, false, &progress};
    char error[CURL_ERROR_SIZE] = "";
    set_options(curl.get(), url, limits, transfer, error);
    CURLcode code = curl_easy_perform(curl.get());
    long status = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
    if (std::fclose(file.release()) != 0) code = CURLE_WRITE_ERROR;  // the last of it was still in a buffer
    if (transfer.too_long || transfer.have == 0 || code == CURLE_FILESIZE_EXCEEDED) fs::remove(part, ignored);
    if (judge(code, status, transfer, limits, error)) return;
  }
  throw DataError("can't send the file from its beginning");
}

}  // namespace vitcl::data
