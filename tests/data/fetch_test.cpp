#include "vitcl/data/fetch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <future>
#include <utility>

#include "data/fetch/unpack.hpp"
#include "http_server.hpp"
#include "idx_files.hpp"
#include "support/environment.hpp"
#include "support/errors.hpp"
#include "support/reference_data.hpp"
#include "support/temporary_folder.hpp"
#include "vitcl/backend/error.hpp"
#include "vitcl/data/load.hpp"

namespace vitcl::data {
namespace {

namespace fs = std::filesystem;
using test::error_of;
using test::http_answer;
using test::HttpServer;
using test::says;

constexpr size_t content_bytes = 300000;

/// Bytes that don't compress to nothing.
std::vector<uint8_t> content() {
  std::vector<uint8_t> bytes(content_bytes);
  uint32_t state = 1;
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>((state = state * 1664525U + 1013904223U) >> 24U);
  return bytes;
}

std::string text(const fs::path& file) {
  const std::vector<uint8_t> bytes = test::read_file(file);
  return {bytes.begin(), bytes.end()};
}

/// A tar archive of one kind of entry: '0' a file, '2' a link.
std::string tar_of(const std::vector<std::pair<std::string, std::string>>& files, char type = '0') {
  std::string all;
  for (const auto& [name, body] : files) {
    std::string header(512, '\0');
    header.replace(0, name.size(), name);
    header.replace(100, 7, "0000644");
    char size[12];
    std::snprintf(size, sizeof(size), "%011o", static_cast<unsigned>(body.size()));
    header.replace(124, 11, size);
    header.replace(148, 8, "        ");
    header[156] = type;
    if (type == '2') header.replace(157, 11, "/etc/passwd");
    header.replace(257, 5, "ustar");
    header.replace(263, 2, "00");
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    char digits[8];
    std::snprintf(digits, sizeof(digits), "%06o", sum);
    header.replace(148, 7, std::string(digits, 7));
    all += header + body + std::string((512 - body.size() % 512) % 512, '\0');
  }
  return all + std::string(1024, '\0');
}

class FetchTest : public ::testing::Test {
 protected:
  FetchTest() {
    test::write_file(folder_ / "content", content());
    test::write_gzip(folder_ / "content.gz", content());
    packed_ = text(folder_ / "content.gz");
    set_.files = {{"file.gz", true, sha256_of(folder_ / "content"), content_bytes}};
  }
  fs::path run(const std::vector<std::string>& mirrors) {
    return fetch(set_, {.folder = folder_ / "data", .mirrors = mirrors});
  }
  std::string error_from(const HttpServer& server) {
    return error_of<DataError>([&] { run({server.url()}); });
  }
  bool is_whole() const { return test::read_file(folder_ / "data" / "set" / "file") == content(); }
  /// Files that a download in progress leaves.
  size_t parts() const {
    size_t count = 0;
    std::error_code no_folder;
    for (const auto& entry : fs::directory_iterator(folder_ / "data" / "set", no_folder))
      if (entry.path().extension() == ".part") ++count;
    return count;
  }
  HttpServer::Answer always(const std::string& answer) const {
    return [answer](const std::string&) { return answer; };
  }

  test::TemporaryFolder folder_;
  std::string packed_;
  RemoteSet set_{"set", {}, {}};
};

TEST_F(FetchTest, FetchesUnpacksAndDoesNotFetchAgain) {
  HttpServer server(always(http_answer(packed_)));
  EXPECT_EQ(run({server.url()}), folder_ / "data" / "set");
  EXPECT_TRUE(is_whole());
  EXPECT_EQ(parts(), 0U);
  run({server.url() + "/"});
  ASSERT_EQ(server.requests().size(), 1U);
  EXPECT_TRUE(says(server.requests()[0], {"GET /file.gz HTTP"}));
  test::write_file(folder_ / "data" / "set" / "file", std::vector<uint8_t>(content_bytes));  // damaged: fetched anew
  run({server.url()});
  EXPECT_TRUE(is_whole());
}

TEST_F(FetchTest, GoesOnWhereTheConnectionWasCut) {
  const size_t half = packed_.size() / 2;
  HttpServer server([&](const std::string& request) {
    if (request.find("Range: bytes=" + std::to_string(half) + "-") != std::string::npos)
      return http_answer(packed_.substr(half), "206 Partial Content",
                         "Content-Range: bytes " + std::to_string(half) + "-" + std::to_string(packed_.size() - 1) +
                             "/" + std::to_string(packed_.size()) + "\r\n");
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(packed_.size()) + "\r\n\r\n" +
           packed_.substr(0, half);
  });
  EXPECT_TRUE(says(error_from(server), {server.url(), "cut the connection", "goes on behind it"}));
  EXPECT_EQ(parts(), 1U);
  EXPECT_FALSE(fs::exists(folder_ / "data" / "set" / "file"));
  run({server.url()});
  EXPECT_TRUE(is_whole());
  EXPECT_EQ(parts(), 0U);
}

TEST_F(FetchTest, BeginsAnewWhereTheServerCanNotGoOnOrGoesOnWrongly) {
  for (const bool ignores_ranges : {true, false}) {
    bool first = true;
    HttpServer server([&](const std::string& request) {
      if (std::exchange(first, false)) return "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + packed_.substr(0, 50);
      if (ignores_ranges || request.find("Range:") == std::string::npos) return http_answer(packed_);
      return http_answer("rubbish", "206 Partial Content", "Content-Range: bytes 50-56/57\r\n");
    });
    EXPECT_TRUE(says(error_from(server), {"cut the connection"}));
    run({server.url()});
    EXPECT_TRUE(is_whole());
    fs::remove_all(folder_ / "data");
  }
}

TEST_F(FetchTest, RefusesWrongBytesAndKeepsNone) {
  test::write_gzip(folder_ / "zeros.gz", std::vector<uint8_t>(content_bytes));
  HttpServer other(always(http_answer(text(folder_ / "zeros.gz"))));
  EXPECT_TRUE(says(error_from(other), {"content is another", "SHA-256", "--mirror"}));
  HttpServer page(always(http_answer("<html>hello</html>")));
  EXPECT_TRUE(says(error_from(page), {"unpacks to 18 bytes, not to 300000"}));
  HttpServer cut(always(http_answer(packed_.substr(0, packed_.size() / 2))));
  EXPECT_TRUE(says(error_from(cut), {"unpacks to"}) || says(error_from(cut), {"gzip data is broken"}));
  EXPECT_FALSE(fs::exists(folder_ / "data" / "set"));
}

TEST_F(FetchTest, StopsReadingAtTheSizesLimit) {
  HttpServer promised(always("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nmuch"));
  EXPECT_TRUE(says(error_from(promised), {"sends more than the"}));
  HttpServer silent(always("HTTP/1.1 200 OK\r\n\r\n" + std::string(10 * content_bytes, 'x')));
  EXPECT_TRUE(says(error_from(silent), {"sends more than the"}));
  test::write_gzip(folder_ / "bomb.gz", std::vector<uint8_t>(200 * content_bytes));
  HttpServer bomb(always(http_answer(text(folder_ / "bomb.gz"))));
  EXPECT_TRUE(says(error_from(bomb), {"unpacks to more than 300000 bytes"}));
  EXPECT_FALSE(fs::exists(folder_ / "data" / "set"));
}

TEST_F(FetchTest, TriesTheMirrorsInTurn) {
  HttpServer missing(always(http_answer("", "404 Not Found")));
  HttpServer circle(always(http_answer("", "302 Found", "Location: /again\r\n")));
  HttpServer file(always("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"));
  HttpServer good(always(http_answer(packed_)));
  const std::string nobody = "http://127.0.0.1:1";
  const std::vector<std::string> bad{missing.url(), circle.url(), file.url(), nobody};
  EXPECT_TRUE(says(error_of<DataError>([&] { run(bad); }),
                   {missing.url() + ": answered with status 404", circle.url() + ": redirects in circles",
                    nobody + ": can't be reached", "offline"}));
  EXPECT_LE(circle.requests().size(), 7U);
  EXPECT_FALSE(fs::exists(folder_ / "data" / "set"));
  std::vector<std::string> all = bad;
  all.push_back(good.url());
  run(all);
  EXPECT_TRUE(is_whole());
}

TEST_F(FetchTest, ItsOwnMirrorsAreAskedByHttpsAlone) {
  HttpServer server(always(http_answer(packed_)));
  set_.mirrors = {server.url()};
  EXPECT_THROW(fetch(set_, {.folder = folder_ / "data"}), DataError);
  EXPECT_TRUE(server.requests().empty());
  for (const RemoteSet& set : remote_sets())
    for (const std::string& mirror : set.mirrors) EXPECT_TRUE(mirror.starts_with("https://")) << mirror;
}

TEST_F(FetchTest, ByHttpsItAsksOnlyWhoIsTrusted) {
  const test::SelfSigned credentials;
  HttpServer server(always(http_answer(packed_)), &credentials);
  EXPECT_TRUE(says(error_from(server), {server.url(), "certificate", "SSL_CERT_FILE"}));
  EXPECT_TRUE(server.requests().empty());
  EXPECT_EQ(parts(), 0U);
  credentials.write(folder_ / "authority.pem");
  const test::Environment trust("SSL_CERT_FILE", folder_ / "authority.pem");
  run({server.url()});
  EXPECT_TRUE(is_whole());
}

TEST_F(FetchTest, AMirrorByHttpsLeadsToNoOtherProtocol) {
  const test::SelfSigned credentials;
  credentials.write(folder_ / "authority.pem");
  const test::Environment trust("SSL_CERT_FILE", folder_ / "authority.pem");
  HttpServer plain(always(http_answer(packed_)));
  HttpServer server(always(http_answer("", "302 Found", "Location: " + plain.url() + "/file.gz\r\n")), &credentials);
  EXPECT_TRUE(says(error_from(server), {server.url(), "http"}));
  EXPECT_EQ(server.requests().size(), 1U);
  EXPECT_TRUE(plain.requests().empty());
}

TEST_F(FetchTest, TurnsFromASilentMirrorToTheNext) {
  std::promise<void> end;
  std::shared_future<void> ended = end.get_future().share();
  HttpServer silent([ended](const std::string&) {
    ended.wait_for(std::chrono::seconds(20));
    return std::string();
  });
  HttpServer good(always(http_answer(packed_)));
  fetch(set_, {.folder = folder_ / "data", .mirrors = {silent.url(), good.url()}, .patience = 1});
  EXPECT_TRUE(is_whole());
  fs::remove_all(folder_ / "data");
  const std::string error =
      error_of<DataError>([&] { fetch(set_, {.folder = folder_ / "data", .mirrors = {silent.url()}, .patience = 1}); });
  EXPECT_TRUE(says(error, {silent.url(), "too slow"}));
  end.set_value();
}

TEST_F(FetchTest, AFileOfAuthoritiesThatIsNotThereIsNamed) {
  const test::SelfSigned credentials;
  const test::Environment trust("SSL_CERT_FILE", folder_ / "nowhere.pem");
  HttpServer server(always(http_answer(packed_)), &credentials);
  EXPECT_TRUE(says(error_from(server), {"nowhere.pem"}));
}

TEST_F(FetchTest, TakesFromAnArchiveTheFilesItWantsAndNoMore) {
  const std::string tar =
      tar_of({{"inner/a.bin", "first"}, {"../outside.bin", "second"}, {"inner/extra.txt", "third"}, {"b.bin", "last"}});
  test::write_file(folder_ / "set.tar", std::vector<uint8_t>(tar.begin(), tar.end()));
  set_.files = {{"set.tar", false, sha256_of(folder_ / "set.tar"), tar.size(), {"a.bin", "b.bin"}}};
  HttpServer server(always(http_answer(tar)));
  const fs::path place = run({server.url()});
  EXPECT_EQ(text(place / "a.bin"), "first");
  EXPECT_EQ(text(place / "b.bin"), "last");
  EXPECT_EQ(std::distance(fs::directory_iterator(place), fs::directory_iterator()), 2);
  set_.files[0].member_bytes = 5;  // as "first", which "last" has not
  run({server.url()});
  EXPECT_EQ(server.requests().size(), 2U);
  set_.files[0].members = {"a.bin", "c.bin"};
  EXPECT_TRUE(says(error_from(server), {"lacks c.bin"}));
  set_.files[0].sha256 = sha256_of(folder_ / "content");
  EXPECT_TRUE(says(error_from(server), {"content is another"}));
}

TEST_F(FetchTest, WritesNoLinksOfAnArchive) {
  const std::string tar = tar_of({{"a.bin", ""}}, '2');
  test::write_file(folder_ / "set.tar", std::vector<uint8_t>(tar.begin(), tar.end()));
  set_.files = {{"set.tar", false, sha256_of(folder_ / "set.tar"), tar.size(), {"a.bin"}}};
  HttpServer server(always(http_answer(tar)));
  EXPECT_TRUE(says(error_from(server), {"lacks a.bin"}));
  EXPECT_FALSE(fs::is_symlink(folder_ / "data" / "set" / "a.bin"));
}

TEST_F(FetchTest, TellsHowFarItIs) {
  HttpServer server(always(http_answer(packed_)));
  uint64_t most = 0, whole = 0;
  fetch(set_, {.folder = folder_ / "data",
               .mirrors = {server.url()},
               .progress = [&](const std::string& file, uint64_t bytes, uint64_t total) {
                 EXPECT_EQ(file, "file.gz");
                 most = std::max(most, bytes);
                 whole = std::max(whole, total);
               }});
  EXPECT_EQ(most, packed_.size());
  EXPECT_EQ(whole, packed_.size());
}

TEST(RemoteSets, NamesThoseThereAre) {
  EXPECT_TRUE(
      says(error_of<UsageError>([] { remote_set("imagenet"); }), {"imagenet", "mnist, fashion-mnist, cifar10"}));
  for (const RemoteSet& set : remote_sets())
    for (const RemoteFile& file : set.files) EXPECT_EQ(file.sha256.size(), 64U) << file.name;
}

TEST(RemoteSets, MnistIsKnownByTheHashesOfTheRealFiles) {
  VITCL_SKIP_WITHOUT(test::mnist_dir() / "train-images-idx3-ubyte.gz");
  const test::TemporaryFolder folder;
  HttpServer server([](const std::string& request) {
    const std::string name = request.substr(5, request.find(' ', 5) - 5);
    return http_answer(text(test::mnist_dir() / name));
  });
  LoadOptions options;
  options.data_dir = fetch(remote_set("mnist"), {.folder = folder.path(), .mirrors = {server.url()}}).parent_path();
  EXPECT_EQ(load_dataset("mnist", options).train.count, 60000U);
}

}  // namespace
}  // namespace vitcl::data
