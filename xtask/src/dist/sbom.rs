//! What each program is made of, by cargo-cyclonedx, as CycloneDX 1.5.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use super::needs::{cargo_tool, static_target};
use super::programs::{CRATES, STATIC_CRATE, target};
use super::release::{Release, place};
use crate::bench::tools::{command, said};
use crate::cargo::workspace;

/// Writes one file for each crate with programs to `out`.
pub(super) fn write(release: &Release, out: &Path) -> Result<(), Box<dyn Error>> {
    // The tool writes beside every manifest that it reads. So it reads a copy.
    let copy = place().join("sbom");
    copy_source(&copy)?;
    for (target, crates) in [(target(), &CRATES[..]), (static_target(), &[STATIC_CRATE])] {
        call(release, &copy.join("Cargo.toml"), &target)?;
        for name in crates {
            take(&copy, name, out)?;
        }
    }
    let uefi = format!("{}-unknown-uefi", std::env::consts::ARCH);
    call(release, &copy.join("bootpick/Cargo.toml"), &uefi)?;
    take(&copy, "bootpick", out)?;
    fs::remove_dir_all(&copy)?;
    Ok(())
}

/// A copy of the source as it is here, what nobody has committed yet included.
pub(super) fn copy_source(to: &Path) -> Result<(), Box<dyn Error>> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    let list = "git ls-files -z --cached --others --exclude-standard --deduplicate | \
                while IFS= read -r -d '' file; do [ ! -e \"$file\" ] || printf '%s\\0' \"$file\"; done | \
                tar --null --files-from=- --create | tar --extract --directory \"$1\"";
    said(command("bash").current_dir(workspace()).args(["-o", "pipefail", "-c", list, "bash"]).arg(to))?;
    Ok(())
}

fn call(release: &Release, manifest: &Path, target: &str) -> Result<(), Box<dyn Error>> {
    let mut call = command(cargo_tool("cargo-cyclonedx").to_str().ok_or("say where cargo-cyclonedx is")?);
    call.env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    call.args(["cyclonedx", "--quiet", "--format=json", "--spec-version=1.5", "--no-build-deps"]);
    call.args(["--target", target]).arg("--manifest-path").arg(manifest);
    said(&mut call)?;
    Ok(())
}

/// Moves what was written beside the manifest of the crate `name`.
fn take(copy: &Path, name: &str, out: &Path) -> Result<(), Box<dyn Error>> {
    let file = format!("{name}.cdx.json");
    let written: Vec<PathBuf> = [name, "api/server", "api/client", "migrator/helpers"]
        .iter()
        .map(|dir| copy.join(dir).join(&file))
        .filter(|path| path.is_file())
        .collect();
    let [path] = &written[..] else {
        return Err(format!(
            "find {file}, which cargo-cyclonedx writes: it is there {} times",
            written.len()
        )
        .into());
    };
    // Where the copy lies is nobody's business, and another place on another machine.
    let text = fs::read_to_string(path)?.replace(&*copy.to_string_lossy(), "/update-stack");
    fs::write(out.join(file), text)?;
    fs::remove_file(path)?;
    Ok(())
}
