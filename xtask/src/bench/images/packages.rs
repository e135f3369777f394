//! Which versions apt offers, and fetching them. Where from is a matter of this machine's apt; here are only names.

use std::error::Error;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::release::{Extent, Release};
use crate::bench::tools::{command, said};

/// What a small server has, beside what every Debian has.
const WANTED: [&str; 27] = [
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "ca-certificates",
    "curl",
    "nftables",
    "iproute2",
    "chrony",
    "python3",
    "python3-yaml",
    "git",
    "vim-tiny",
    "containerd",
    "docker.io",
    "nginx-light",
    "bind9-dnsutils",
    "rsync",
    "tcpdump",
    "linux-image-amd64",
    "busybox-static",
    "zstd",
    "kmod",
    "e2fsprogs",
    "grub-common",
    "lvm2",
    "cryptsetup-bin",
    "gdb",
];

/// What is enough to try something out.
const LITTLE: [&str; 5] = ["linux-image-amd64", "busybox-static", "curl", "kmod", "zstd"];

/// One package of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Its file.
    pub(crate) file: String,
}

/// Finds out what the release consists of, and fetches it.
pub(super) fn fetch(release: Release, extent: Extent, dir: &Path) -> Result<Vec<Package>, Box<dyn Error>> {
    let wanted: &[&str] = match extent {
        Extent::Server => &WANTED,
        Extent::Little => &LITTLE,
    };
    fs::create_dir_all(dir.join("archives/partial"))?;
    // A machine on which nothing is installed, with the sources of this one.
    fs::write(dir.join("status"), "")?;
    let preferences = dir.join(format!("{}.preferences", release.name()));
    fs::write(&preferences, release.preferences())?;
    let apt = || {
        let mut apt = command("apt-get");
        let set = |name: &str, path: &Path| format!("{name}={}", path.display());
        apt.args(["-q", "-y", "-o", "APT::Install-Recommends=false", "-o", "Debug::NoLocking=true"])
            .args(["-o", "APT::Architecture=amd64", "-o", "APT::Architectures=amd64"])
            .args(["-o", &set("Dir::State::status", &dir.join("status"))])
            .args(["-o", &set("Dir::Etc::Preferences", &preferences)])
            .args(["-o", "Dir::Etc::PreferencesParts=/dev/null"])
            .args(["-o", &set("Dir::Cache::archives", &dir.join("archives"))]);
        apt
    };
    let install = ["install", "?essential", "?priority(required)"];
    // Nothing is here yet as far as apt knows, so that everything is listed.
    let listed = said(
        apt().args(["-o", "Dir::Cache::archives=/nonexistent/", "--print-uris"]).args(install).args(wanted),
    )
    .map_err(|error| format!("{error}; \"apt-get update\" may help"))?;
    let packages = parse(&listed);
    if packages.is_empty() {
        return Err("find any package that apt offers: run \"apt-get update\" first".into());
    }
    said(apt().arg("--download-only").args(install).args(wanted))?;
    Ok(packages)
}

/// The packages in a list of `apt-get --print-uris`: `'ADDRESS' NAME_VERSION_ARCH.deb SIZE HASH`.
fn parse(listed: &str) -> Vec<Package> {
    let mut packages: Vec<Package> = listed
        .lines()
        .filter(|line| line.starts_with('\''))
        .filter_map(|line| {
            let file = line.split_whitespace().nth(1)?;
            let mut parts = file.strip_suffix(".deb")?.splitn(3, '_');
            let (name, version) = (parts.next()?, parts.next()?);
            parts.next()?;
            let version = version.replace("%3a", ":");
            Some(Package { name: name.to_owned(), version, file: file.to_owned() })
        })
        .collect();
    packages.sort_by(|one, other| one.file.cmp(&other.file));
    packages
}

/// How many packages have another version in `after`.
pub(crate) fn changed(before: &[Package], after: &[Package]) -> usize {
    after.iter().filter(|package| !before.contains(package)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "Reading package lists...\n\
        'https://example.org/pool/b/bind9/bind9-host_9.18_amd64.deb' bind9-host_1%3a9.18.49-1~deb12u1_amd64.deb 37596 MD5Sum:8d98\n\
        'https://example.org/pool/a/apt/apt_2.6.1_amd64.deb' apt_2.6.1_amd64.deb 1 SHA256:00\n\
        'https://example.org/odd' odd 1 SHA256:00\n";

    #[test]
    fn names_and_versions_are_read_from_what_apt_lists() {
        let packages = parse(LIST);
        let told: Vec<_> = packages.iter().map(|package| (&*package.name, &*package.version)).collect();
        assert_eq!(told, [("apt", "2.6.1"), ("bind9-host", "1:9.18.49-1~deb12u1")]);
        assert_eq!(packages[1].file, "bind9-host_1%3a9.18.49-1~deb12u1_amd64.deb");
    }

    #[test]
    fn packages_with_another_version_are_counted() {
        let (before, after) = (parse(LIST), parse(&LIST.replace("apt_2.6.1_", "apt_2.6.2_")));
        assert_eq!((changed(&before, &after), changed(&after, &after)), (1, 0));
    }
}
