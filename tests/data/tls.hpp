#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

namespace vitcl::test {

/// What a server needs to speak TLS: a key, and a certificate for 127.0.0.1 that nobody but this key signed.
class SelfSigned {
 public:
  SelfSigned() {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL has no MSG_NOSIGNAL
    constexpr long hour = 3600;
    X509_set_version(certificate_.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate_.get()), -hour);
    X509_gmtime_adj(X509_getm_notAfter(certificate_.get()), hour);
    X509_set_pubkey(certificate_.get(), key_.get());
    X509_NAME* name = X509_get_subject_name(certificate_.get());
    const auto* host = reinterpret_cast<const unsigned char*>("127.0.0.1");
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, host, -1, -1, 0);
    X509_set_issuer_name(certificate_.get(), name);
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> address(
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "IP:127.0.0.1"), X509_EXTENSION_free);
    X509_add_ext(certificate_.get(), address.get(), -1);
    if (X509_sign(certificate_.get(), key_.get(), EVP_sha256()) == 0 ||
        SSL_CTX_use_certificate(context_.get(), certificate_.get()) != 1 ||
        SSL_CTX_use_PrivateKey(context_.get(), key_.get()) != 1)
      throw std::runtime_error("OpenSSL can't sign a certificate");
  }
  SSL_CTX* context() const { return context_.get(); }
  /// For those who are to trust it.
  void write(const std::filesystem::path& file) const {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(std::fopen(file.c_str(), "w"), std::fclose);
    if (!stream || PEM_write_X509(stream.get(), certificate_.get()) != 1)
      throw std::runtime_error("can't write " + file.string());
  }

 private:
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_{EVP_EC_gen("P-256"), EVP_PKEY_free};
  std::unique_ptr<X509, decltype(&X509_free)> certificate_{X509_new(), X509_free};
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
};

/// A connection that was accepted, in TLS where there is a context.
class Connection {
 public:
  Connection(int socket, SSL_CTX* context) : socket_(socket), tls_(context ? SSL_new(context) : nullptr, SSL_free) {
    if (tls_) SSL_set_fd(tls_.get(), socket_);
    open_ = !tls_ || SSL_accept(tls_.get()) == 1;
  }
  ~Connection() {
    if (tls_ && open_) SSL_shutdown(tls_.get());
    close(socket_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Whether the client agreed to talk.
  bool open() const { return open_; }
  long receive(char* bytes, size_t size) {
    return tls_ ? SSL_read(tls_.get(), bytes, static_cast<int>(size)) : recv(socket_, bytes, size, 0);
  }
  long send(const char* bytes, size_t size) {
    return tls_ ? SSL_write(tls_.get(), bytes, static_cast<int>(size)) : ::send(socket_, bytes, size, MSG_NOSIGNAL);
  }

 private:
  int socket_;
  std::unique_ptr<SSL, decltype(&SSL_free)> tls_;
  bool open_ = false;
};

}  // namespace vitcl::test
