//! TLS as a value of ours, so that no program has to install a provider first.
//!
//! The host's CA certificates, unless a bundle takes their place, are read when the first certificate is to be judged, not before: that takes longer than a
//! whole check of a repository over `http://`. A host without any still reaches `http://` and `file://`; `https://` then
//! fails with a sentence on the certificate.

use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use tracing::debug;

use super::Fault;
use super::issuer::{AuthorityAsServer, UnknownAuthority, is_of_itself, issuer};
use crate::place::source::Tls;

const BUNDLE: &str = "CA bundle";
const CLIENT: &str = "client certificate";

/// The configuration of every client.
pub(super) fn config(tls: &Tls) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = match &tls.ca_bundle {
        Some(pem) => Roots::bundled(Arc::clone(&provider), pem)?,
        None => Roots::of_host(Arc::clone(&provider)),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3")
        // "Dangerous" is any verifier that is not the library's own; this one hands everything on to that.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &tls.client_certificate {
        Some(pem) => {
            let key = PrivateKeyDer::from_pem_slice(pem).map_err(|error| unusable(CLIENT, &error))?;
            config
                .with_client_auth_cert(certificates(CLIENT, pem)?, key)
                .map_err(|error| unusable(CLIENT, &error))?
        }
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificates in `pem`; at least one.
fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(what, &error))?;
    if all.is_empty() {
        return Err(unusable(what, &"it has no certificate"));
    }
    Ok(all)
}

fn unusable(what: &'static str, reason: &dyn std::fmt::Display) -> Fault {
    Fault::Credentials { what, reason: reason.to_string() }
}

/// rustls's own verifier over the CA certificates of this host, made when it is first needed, or over those of a bundle.
#[derive(Debug)]
struct Roots {
    provider: Arc<CryptoProvider>,
    bundled: bool,
    loaded: OnceLock<Option<Arc<WebPkiServerVerifier>>>,
}

impl Roots {
    fn of_host(provider: Arc<CryptoProvider>) -> Self {
        Self { provider, bundled: false, loaded: OnceLock::new() }
    }

    fn bundled(provider: Arc<CryptoProvider>, pem: &[u8]) -> Result<Self, Fault> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(BUNDLE, pem)? {
            roots.add(certificate).map_err(|error| unusable(BUNDLE, &error))?;
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
        let verifier = verifier.map_err(|error| unusable(BUNDLE, &error))?;
        Ok(Self { provider, bundled: true, loaded: OnceLock::from(Some(verifier)) })
    }

    /// Puts the authority's name to the library's refusal: the one that the chain's last certificate asks for.
    fn named(&self, error: Error, end_entity: &CertificateDer<'_>, above: &[CertificateDer<'_>]) -> Error {
        let ours = |error: Arc<dyn std::error::Error + Send + Sync>| {
            Error::InvalidCertificate(CertificateError::Other(OtherError(error)))
        };
        // The library has a word for it only for programmers.
        if format!("{error:?}").contains("CaUsedAsEndEntity") {
            return ours(Arc::new(AuthorityAsServer));
        }
        if error != Error::InvalidCertificate(CertificateError::UnknownIssuer) {
            return error;
        }
        let unknown = UnknownAuthority {
            issuer: issuer(above.last().unwrap_or(end_entity)),
            bundled: self.bundled,
            itself: above.is_empty() && is_of_itself(end_entity),
        };
        ours(Arc::new(unknown))
    }

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

impl ServerCertVerifier for Roots {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier()
            .and_then(|verifier| {
                verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            })
            .map_err(|error| self.named(error, end_entity, intermediates))
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
        let roots = Roots::of_host(Arc::new(rustls::crypto::ring::default_provider()));
        let name = ServerName::try_from("updates.example").expect("a name");
        let garbage = CertificateDer::from(vec![0x30, 0x00]);
        assert!(roots.verify_server_cert(&garbage, &[], &name, &[], UnixTime::now()).is_err());
    }

    #[test]
    fn a_host_without_ca_certificates_knows_nobody() {
        let roots = Roots {
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            bundled: false,
            loaded: OnceLock::from(None),
        };
        assert!(matches!(roots.verifier(), Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))));
    }

    #[test]
    fn values_that_are_no_certificates_are_told_apart() {
        let broken = |tls: Tls| config(&tls).expect_err("no certificate").to_string();
        let some = |text: &str| Some(text.as_bytes().to_vec());
        let said = broken(Tls { ca_bundle: some("no PEM"), ..Tls::default() });
        assert_eq!(said, "the CA bundle cannot be used (it has no certificate)");
        let said = broken(Tls { client_certificate: some("no PEM"), ..Tls::default() });
        assert!(said.starts_with("the client certificate cannot be used ("), "{said}");
        let without_key = include_bytes!("../../../testdata/keys/tls/ca.pem").to_vec();
        let said = broken(Tls { client_certificate: Some(without_key), ..Tls::default() });
        assert!(said.starts_with("the client certificate cannot be used ("), "{said}");
    }
}
