#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tls.hpp"

namespace vitcl::test {

/// A server on this machine that answers each request with the bytes that a function makes of it, right or wrong, and
/// closes the connection. With credentials it speaks HTTPS.
class HttpServer {
 public:
  using Answer = std::function<std::string(const std::string& request)>;
  explicit HttpServer(Answer answer, const SelfSigned* credentials = nullptr)
      : answer_(std::move(answer)), credentials_(credentials), socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(socket_, 8) != 0 ||
        getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("can't listen on this machine");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~HttpServer() {
    shutdown(socket_, SHUT_RDWR);
    thread_.join();
    close(socket_);
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::string url() const {
    return std::string(credentials_ ? "https" : "http") + "://127.0.0.1:" + std::to_string(port_);
  }
  std::vector<std::string> requests() {
    const std::lock_guard guard(mutex_);
    return requests_;
  }

 private:
  void serve() {
    for (int accepted = accept(socket_, nullptr, nullptr); accepted >= 0;
         accepted = accept(socket_, nullptr, nullptr)) {
      Connection connection(accepted, credentials_ ? credentials_->context() : nullptr);
      if (!connection.open()) continue;
      std::string request;
      char bytes[4096];
      for (long came = 1; came > 0 && request.find("\r\n\r\n") == std::string::npos;) {
        came = connection.receive(bytes, sizeof(bytes));
        if (came > 0) request.append(bytes, static_cast<size_t>(came));
      }
      {
        const std::lock_guard guard(mutex_);
        requests_.push_back(request);
      }
      const std::string answer = answer_(request);
      for (size_t sent = 0; sent < answer.size();) {
        const long went = connection.send(answer.data() + sent, answer.size() - sent);
        if (went <= 0) break;
        sent += static_cast<size_t>(went);
      }
    }
  }

  Answer answer_;
  const SelfSigned* credentials_;
  int socket_;
  int port_ = 0;
  std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

/// An answer of status 200, or another with more header lines.
inline std::string http_answer(const std::string& body, const std::string& status = "200 OK",
                               const std::string& headers = "") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + headers +
         "Connection: close\r\n\r\n" + body;
}

}  // namespace vitcl::test
