//! Who issued a certificate, for people. Only names are read here; nothing is decided by them.

use std::error::Error as StdError;
use std::fmt;

use host_io::plain;

/// The longest name that is shown.
const LONGEST: usize = 100;
/// The end of each attribute that is shown, of those below `2.5.4`, with the letters that people know it by.
const SHOWN: [(u8, &str); 3] = [(3, "CN"), (10, "O"), (11, "OU")];

/// A chain of certificates ends at somebody whom this client does not know.
#[derive(Debug)]
pub(super) struct UnknownAuthority {
    /// The authority's name.
    pub(super) issuer: Option<String>,
    /// Whether a bundle of the caller's counts, and not the host's own certificates.
    pub(super) bundled: bool,
    /// Whether that somebody is the server itself.
    pub(super) itself: bool,
}

/// A server shows the certificate of an authority instead of one of its own.
#[derive(Debug)]
pub(super) struct AuthorityAsServer;

impl fmt::Display for AuthorityAsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "it shows the certificate of an authority; it needs one of its own that the authority has signed",
        )
    }
}

impl StdError for AuthorityAsServer {}

impl fmt::Display for UnknownAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let where_to = if self.bundled { "the CA bundle" } else { "this host's CA certificates" };
        match &self.issuer {
            Some(issuer) if self.itself => {
                write!(f, "its certificate \"{issuer}\" is signed by itself and is not among {where_to}")
            }
            Some(issuer) => write!(f, "its authority \"{issuer}\" is not among {where_to}"),
            None => write!(f, "its authority is not among {where_to}"),
        }
    }
}

impl StdError for UnknownAuthority {}

/// Whether a certificate in DER names its own subject as its issuer.
pub(super) fn is_of_itself(certificate: &[u8]) -> bool {
    let both = || {
        let (issuer, mut rest) = issuer_and_rest(certificate)?;
        // Between both stands how long it holds.
        rest.next(SEQUENCE)?;
        Some(rest.next(SEQUENCE)? == issuer)
    };
    both().unwrap_or(false)
}

/// The issuer's names, and what follows them.
fn issuer_and_rest(certificate: &[u8]) -> Option<(&[u8], Der<'_>)> {
    let mut outer = Der(certificate);
    let mut signed = Der(Der(outer.next(SEQUENCE)?).next(SEQUENCE)?);
    if signed.peek() == Some(VERSION) {
        signed.next(VERSION)?;
    }
    signed.next(INTEGER)?;
    signed.next(SEQUENCE)?;
    Some((signed.next(SEQUENCE)?, signed))
}

/// The issuer of a certificate in DER: `O=Example, CN=Example Root`. `None` when there is none to be read.
pub(super) fn issuer(certificate: &[u8]) -> Option<String> {
    let mut names = Der(issuer_and_rest(certificate)?.0);
    let mut shown = Vec::new();
    while let Some(set) = names.next(SET) {
        let mut attributes = Der(set);
        while let Some(attribute) = attributes.next(SEQUENCE) {
            let mut attribute = Der(attribute);
            let kind = attribute.next(OBJECT)?;
            let Some((_, value)) = attribute.any() else { continue };
            if let Some((_, letters)) = SHOWN.iter().find(|(end, _)| kind == [0x55, 0x04, *end]) {
                let value = String::from_utf8_lossy(value);
                let clean = value.chars().filter(|letter| !plain::draws(*letter) && *letter != '"');
                shown.push(format!("{letters}={}", clean.take(LONGEST).collect::<String>()));
            }
        }
    }
    (!shown.is_empty()).then(|| shown.join(", "))
}

const INTEGER: u8 = 0x02;
const OBJECT: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;

/// What is left of a run of tagged values.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The content of the next value, if it has this tag.
    fn next(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.peek()? != tag {
            return None;
        }
        self.any().map(|(_, content)| content)
    }

    /// The next value: its tag and its content.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // Up to three bytes of length: no certificate is larger than that.
            0x81..=0x83 => {
                let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    const AUTHORITY: &[u8] = include_bytes!("../../../testdata/keys/tls/ca.pem");
    const SERVER: &[u8] = include_bytes!("../../../testdata/keys/tls/server.pem");

    #[test]
    fn the_issuer_of_a_certificate_is_read() {
        let certificate = CertificateDer::from_pem_slice(SERVER).expect("a certificate");
        assert_eq!(issuer(&certificate).as_deref(), Some("O=Loopback Tests, CN=Root of the Loopback"));
        assert!(!is_of_itself(&certificate));
        let authority = CertificateDer::from_pem_slice(AUTHORITY).expect("a certificate");
        assert!(is_of_itself(&authority));
    }

    #[test]
    fn a_name_that_draws_is_shown_without_that() {
        let mut certificate = CertificateDer::from_pem_slice(SERVER).expect("a certificate").to_vec();
        let at = certificate.windows(8).position(|bytes| bytes == b"Root of ").expect("the issuer's name");
        certificate[at..at + 4].copy_from_slice("\u{202e}\u{7}".as_bytes());
        assert_eq!(issuer(&certificate).as_deref(), Some("O=Loopback Tests, CN= of the Loopback"));
    }

    #[test]
    fn an_unknown_authority_is_named_with_where_it_was_looked_for() {
        let unknown = |issuer: Option<&str>, bundled| {
            UnknownAuthority { issuer: issuer.map(str::to_owned), bundled, itself: false }.to_string()
        };
        let itself = UnknownAuthority { issuer: Some("CN=X".to_owned()), bundled: true, itself: true };
        assert_eq!(
            itself.to_string(),
            "its certificate \"CN=X\" is signed by itself and is not among the CA bundle"
        );
        assert_eq!(unknown(Some("CN=X"), true), "its authority \"CN=X\" is not among the CA bundle");
        assert!(unknown(None, false).ends_with("this host's CA certificates"));
    }

    proptest! {
        #[test]
        fn a_damaged_certificate_has_an_issuer_or_none(at in 0_usize..400, byte: u8, len in 0_usize..2000) {
            let mut damaged = CertificateDer::from_pem_slice(SERVER).expect("a certificate").to_vec();
            damaged[at] = byte;
            damaged.truncate(len);
            let _ = (issuer(&damaged), is_of_itself(&damaged));
        }
    }
}
