#pragma once

#include <stdexcept>
#include <string>

namespace vitcl {

/// Root of every error that vitcl throws. what() names what failed, what came, what was wanted and what to do.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A value the caller chose is not possible: an unknown option, heads that do not divide dim.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// An op or a layer was given shapes that do not fit together. The message starts with the op's name: "[linear] ...".
class ShapeError : public UsageError {
 public:
  using UsageError::UsageError;
};

/// A data set or an image is missing, malformed or does not fit the model.
class DataError : public Error {
 public:
  using Error::Error;
};

/// No device, the wrong device, or a device that fails.
class DeviceError : public Error {
 public:
  using Error::Error;
};

/// An OpenCL call returned an error code.
class ClError : public DeviceError {
 public:
  /// `call` is the OpenCL function's name, `context` says on what (device, kernel, bytes); may be empty.
  ClError(int code, const std::string& call, const std::string& context);
  int code() const { return code_; }

 private:
  int code_;
};

/// A kernel file did not compile on a device; what() holds the build log.
class BuildError : public DeviceError {
 public:
  BuildError(const std::string& file, const std::string& options, const std::string& device, const std::string& log);
};

/// A loss, gradient or weight is not finite, or a result is outside its limit.
class NumericsError : public Error {
 public:
  using Error::Error;
};

/// A checkpoint, bundle or run folder can't be read or written.
class StorageError : public Error {
 public:
  using Error::Error;
};

}  // namespace vitcl
