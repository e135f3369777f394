//! TLS as a value of ours, so that no program has to install a provider first.
//!
//! The host's CA certificates are read when the first certificate is to be judged, not before: that takes longer than a
//! whole check of a repository over `http://`. A host without any still reaches `http://` and `file://`; `https://` then
//! fails with a sentence on the certificate.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tracing::debug;

/// The configuration of every client.
pub(super) fn config() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = HostRoots { provider: Arc::clone(&provider), loaded: OnceLock::new() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        // "Dangerous" is any verifier that is not the library's own; this one hands everything on to that.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

/// rustls's own verifier over the CA certificates of this host, made when it is first needed.
#[derive(Debug)]
struct HostRoots {
    provider: Arc<CryptoProvider>,
    loaded: OnceLock<Option<Arc<WebPkiServerVerifier>>>,
}

impl HostRoots {
    /// The verifier. Without any CA certificate nobody is known, which is what the error says.
    fn verifier(&self) -> Result<&WebPkiServerVerifier, Error> {
        self.loaded
            .get_or_init(|| {
                let mut roots = RootCertStore::empty();
                let found = rustls_native_certs::load_native_certs();
                for error in &found.errors {
                    debug!(%error, "some CA certificates of this host cannot be read");
                }
                let (added, ignored) = roots.add_parsable_certificates(found.certs);
                debug!(added, ignored, "CA certificates");
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
                    .build()
                    .ok()
            })
            .as_deref()
            .ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }
}

impl ServerCertVerifier for HostRoots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier()?.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()?.verify_tls12_signature(message, cert, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()?.verify_tls13_signature(message, cert, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_nobody_vouches_for_is_refused() {
        let roots = HostRoots {
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            loaded: OnceLock::new(),
        };
        let name = ServerName::try_from("updates.example").expect("a name");
        let garbage = CertificateDer::from(vec![0x30, 0x00]);
        assert!(roots.verify_server_cert(&garbage, &[], &name, &[], UnixTime::now()).is_err());
    }

    #[test]
    fn a_host_without_ca_certificates_knows_nobody() {
        let roots = HostRoots {
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            loaded: OnceLock::from(None),
        };
        assert!(matches!(roots.verifier(), Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))));
    }
}
