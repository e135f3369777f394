//! The key that the VM's firmware trusts under Secure Boot: the public throw-away key that OVMF ships for just this.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use crate::bench::tools::{command, said};

const KEY: &str = "/usr/share/ovmf/PkKek-1-snakeoil.key";
const CERTIFICATE: &str = "/usr/share/ovmf/PkKek-1-snakeoil.pem";

/// Signs programs for UEFI.
pub(super) struct Signer {
    key: PathBuf,
}

impl Signer {
    /// Unlocks the key into `dir`.
    pub(super) fn prepare(dir: &Path) -> Result<Self, Box<dyn Error>> {
        let key = dir.join("secure-boot.key");
        said(command("openssl").args(["rsa", "-in", KEY, "-passin", "pass:snakeoil", "-out"]).arg(&key))?;
        Ok(Self { key })
    }

    /// What the scripts of an image builder are told in the environment so that they sign.
    pub(super) fn variables(&self) -> [(&'static str, &Path); 2] {
        [("KEY", &self.key), ("CERTIFICATE", Path::new(CERTIFICATE))]
    }

    /// Signs a program in its place.
    pub(super) fn sign(&self, program: &Path) -> Result<(), Box<dyn Error>> {
        let signed = program.with_extension("signed");
        said(
            command("sbsign")
                .arg("--key")
                .arg(&self.key)
                .args(["--cert", CERTIFICATE, "--output"])
                .arg(&signed)
                .arg(program),
        )?;
        fs::rename(signed, program)?;
        Ok(())
    }
}
