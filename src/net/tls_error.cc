#include "net/tls_error.h"

#include "net/client_certificate.h"
#include "net/tls.h"
#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>

namespace ringpost::net {
namespace {

std::string certificate_reason(int32_t code) {
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return "certificate expired";
    case X509_V_ERR_CERT_NOT_YET_VALID: return "certificate not yet valid";
    case X509_V_ERR_HOSTNAME_MISMATCH: return "certificate is for another host";
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return "certificate is for another IP address";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return "certificate is self-signed";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "certificate chain ends in an unknown root: if its CA is private, name that CA";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "certificate's issuer is unknown: if its CA is private, name that CA; if not, the "
             "server must also send its intermediate certificates";
    case X509_V_ERR_APPLICATION_VERIFICATION:
      return "certificate has a weak key or signature (RSA below 2048 bits, SHA-1 or MD5)";
    case X509_V_ERR_INVALID_PURPOSE: return "certificate is not meant for servers";
    case X509_V_ERR_INVALID_CA: return "certificate's issuer is not a certificate authority";
    default: break;
  }
  return std::string{"certificate refused: "} + X509_verify_cert_error_string(code);
}

/// The library's own word for a reason, in small letters: "tlsv1 alert unknown ca".
std::string library_reason(int32_t detail) {
  const auto packed = static_cast<uint32_t>(detail);
  const uint32_t error = ERR_GET_LIB(packed) != 0 ? packed : ERR_PACK(ERR_LIB_SSL, packed);
  const char* const text = ERR_reason_error_string(error);
  if (text == nullptr) return "reason " + std::to_string(detail);
  std::string words{text};
  std::ranges::transform(words, words.begin(), [](unsigned char letter) {
    return letter == '_' ? ' ' : static_cast<char>(std::tolower(letter));
  });
  return words;
}

std::string protocol_reason(int32_t detail) {
  switch (detail) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION: return "peer speaks neither TLS 1.2 nor TLS 1.3";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST: return "peer does not use TLS on this port";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_NO_SHARED_CIPHER: return "no cipher in common";
    case SSL_R_TLSV1_ALERT_CERTIFICATE_REQUIRED: return "peer requires a client certificate";
    case SSL_R_TLSV1_ALERT_UNRECOGNIZED_NAME: return "peer does not serve this host name";
    default: return library_reason(detail);
  }
}

}  // namespace

Error tls_error(const SSL* ssl, Side side) {
  // The first error says most, but for a certificate: a signature that does not verify leaves the
  // arithmetic's own complaint in front.
  const uint32_t first = ERR_peek_error();
  bool refused = false;
  while (const uint32_t error = ERR_get_error()) {
    refused = refused || (ERR_GET_LIB(error) == ERR_LIB_SSL &&
                          ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED);
  }
  if (refused) {
    return {Errc::certificate_invalid, side, static_cast<int32_t>(SSL_get_verify_result(ssl))};
  }
  if (ERR_GET_LIB(first) != ERR_LIB_SSL) {
    return {Errc::tls_failed, side, static_cast<int32_t>(first & 0x7fffffff)};
  }
  return {Errc::tls_failed, side, ERR_GET_REASON(first)};
}

bool is_about_client_certificate(const Error& error) {
  if (error.code != Errc::tls_failed) return false;
  switch (error.detail) {
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_NO_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
    case SSL_R_TLSV1_ALERT_CERTIFICATE_REQUIRED: return true;
    default: return false;
  }
}

std::string describe_tls(const Error& error) {
  switch (error.code) {
    case Errc::certificate_invalid: return certificate_reason(error.detail);
    case Errc::tls_failed: return "TLS failed: " + protocol_reason(error.detail);
    case Errc::not_found:
      if (error.side != Side::operator_) break;
      return std::string{"no root certificates at "} + system_roots_path +
             ": install the package ca-certificates, or name a CA";
    case Errc::malformed:
      if (error.side != Side::operator_) break;
      return "the certificate or the key is not PEM, or they do not belong together";
    default: break;
  }
  return describe(error);
}

}  // namespace ringpost::net
