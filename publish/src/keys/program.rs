//! A key that another program holds, or knows how to reach: a key management service, a token, an agent.
//!
//! `PROGRAM public` prints the public key as PEM. `PROGRAM sign` reads the message on stdin and prints the raw signature:
//! Ed25519, ECDSA on P-256 with SHA-256 as ASN.1, or RSA-PSS with SHA-256. What it prints is verified before anything is
//! published.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use trusted_repo::author::source::{SecureRandom, SourceError, TufKey, async_trait};
use trusted_repo::author::{KeySource, PublicKey, Sign};

/// A program, as a source of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramKey {
    program: PathBuf,
}

/// The same, once its public half is known.
struct Holder {
    program: PathBuf,
    public: PublicKey,
}

impl ProgramKey {
    /// The key that `program` holds.
    #[must_use]
    pub fn new(program: PathBuf) -> Self {
        Self { program }
    }
}

#[async_trait]
impl KeySource for ProgramKey {
    async fn as_sign(&self) -> Result<Box<dyn Sign>, SourceError> {
        let text = ask(&self.program, "public", b"")?;
        let public = PublicKey::from_pem(&text)
            .map_err(|reason| format!("{} gave no public key: {reason}", self.program.display()))?;
        Ok(Box::new(Holder { program: self.program.clone(), public }))
    }

    async fn write(&self, _value: &str, _key_id: &str) -> Result<(), SourceError> {
        Err(format!("the key that {} holds is not written over", self.program.display()).into())
    }
}

#[async_trait]
impl Sign for Holder {
    fn tuf_key(&self) -> TufKey {
        self.public.tuf_key()
    }

    async fn sign(
        &self,
        message: &[u8],
        _random: &(dyn SecureRandom + Sync),
    ) -> Result<Vec<u8>, SourceError> {
        ask(&self.program, "sign", message)
    }
}

/// Runs the program; what it says on stderr is for whoever sits there.
fn ask(program: &Path, verb: &str, input: &[u8]) -> Result<Vec<u8>, SourceError> {
    let failed = |what: String| format!("{} {verb} {what}", program.display());
    let mut child = Command::new(program)
        .arg(verb)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("does not start: {error}")))?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    // A program that needs no input may close it early; what it answers counts.
    let _may_be_closed = stdin.write_all(input);
    drop(stdin);
    let output =
        child.wait_with_output().map_err(|error| failed(format!("cannot be waited for: {error}")))?;
    if !output.status.success() {
        return Err(failed(format!("ended with {}", output.status)).into());
    }
    Ok(output.stdout)
}
