//! The packages in a Debian of their own: installed, looked at, upgraded, removed and purged.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::packages::{self, Made, Packed};
use super::release::{Release, place};
use super::stage::{HOST, PACKAGES, tree};
use crate::Outcome;
use crate::bench::tools::{command, said};

/// What the packages depend on, and nothing else of a Debian.
const BESIDE: &str = "systemd-sysv,initramfs-tools,cryptsetup-bin,e2fsprogs,busybox-static,libgcc-s1";

/// Older than any release.
const EARLIER: &str = "0.0.1-1";

/// What package managers and the linker leave in a tree whatever is installed.
const OF_THE_SYSTEM: [&str; 5] =
    ["var/lib/dpkg", "var/lib/systemd", "var/log", "var/cache/ldconfig", "etc/ld.so.cache"];

/// The groups and their backups: one that a package made stays, for files may belong to it.
const OF_USERS: [&str; 4] = ["etc/group-", "etc/gshadow-", "etc/passwd-", "etc/shadow-"];

/// Does all of it, and tells each step.
pub(super) fn run(made: &Made, release: &Release) -> Outcome {
    if !rustix::process::geteuid().is_root() {
        return Err("try the packages: only root can install; leave it out with --without-trial".into());
    }
    let dir = tempfile::tempdir_in(place())?;
    let debian = Debian { root: dir.path().join("debian") };
    debian.unpack()?;
    let before = debian.files()?;

    let earlier = dir.path().join("earlier");
    fs::create_dir(&earlier)?;
    let mut old = Vec::new();
    for package in PACKAGES {
        old.push(packages::deb(package, release, EARLIER, Packed::Fast, &earlier)?);
    }
    debian.install(&old)?;
    let mut findings = debian.enabled(true);
    // A person's word, which an upgrade has to keep.
    debian.run(&["systemctl", "disable", "update-check.timer"])?;
    println!("installed as {EARLIER}");

    debian.install(&made.debs)?;
    findings.extend(debian.enabled(false));
    findings.extend(debian.programs()?);
    findings.extend(debian.units()?);
    findings.extend(debian.refuses_where_a_system_runs(&made.debs)?);
    println!("upgraded to {}", release.debian());

    let kept = debian.root.join("var/lib/bottlerocket/datastore/v0");
    fs::create_dir_all(&kept)?;
    let names: Vec<&str> = PACKAGES.iter().rev().map(|package| package.name).collect();
    debian.run(&[&["dpkg", "--remove"], &names[..]].concat())?;
    if !kept.is_dir() {
        findings.push("removing the packages took the host's settings away".to_owned());
    }
    println!("removed");

    debian.run(&[&["dpkg", "--purge"], &names[..]].concat())?;
    let after = debian.files()?;
    findings.extend(after.difference(&before).map(|path| format!("purging leaves /{path}")));
    findings.extend(before.difference(&after).map(|path| format!("purging takes /{path} away")));
    println!("purged: {} files and directories, as before", after.len());
    for finding in &findings {
        println!("  {finding}");
    }
    Ok(findings.is_empty())
}

/// A Debian below a directory.
struct Debian {
    root: PathBuf,
}

impl Debian {
    /// A fresh one. Its packages are fetched once, by this machine's apt.
    fn unpack(&self) -> Result<(), Box<dyn Error>> {
        let suite = said(command("sh").args(["-c", ". /etc/os-release; echo \"$VERSION_CODENAME\""]))?;
        let base = place().join(format!("debian-{}.tar", suite.trim()));
        if !base.exists() {
            println!("making a Debian to install into");
            let part = base.with_extension("part.tar");
            let mut call = command("mmdebstrap");
            call.args(["--variant=minbase", "--quiet", &format!("--include={BESIDE}"), suite.trim()])
                .arg(&part);
            said(&mut call)?;
            fs::rename(part, base.as_path())?;
        }
        fs::create_dir(&self.root)?;
        said(command("tar").arg("--extract").arg("--file").arg(&base).arg("--directory").arg(&self.root))?;
        Ok(())
    }

    /// A call of a program in it, with a /proc that goes when it ends.
    fn inside(&self, words: &[&str]) -> Command {
        let mut call = command("unshare");
        call.args(["--mount", "sh", "-c", "mount -t proc proc \"$0/proc\" && exec chroot \"$0\" \"$@\""]);
        call.arg(&self.root).args(words);
        call.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("DEBIAN_FRONTEND", "noninteractive");
        call
    }

    fn run(&self, words: &[&str]) -> Result<String, Box<dyn Error>> {
        said(&mut self.inside(words))
            .map_err(|error| format!("run {} in a Debian of its own: {error}", words.join(" ")).into())
    }

    fn install(&self, debs: &[PathBuf]) -> Result<(), Box<dyn Error>> {
        let mut words = vec!["dpkg".to_owned(), "--install".to_owned()];
        for deb in debs {
            let name = deb.file_name().ok_or("name a package")?.to_string_lossy().into_owned();
            fs::copy(deb, self.root.join("tmp").join(&name))?;
            words.push(format!("/tmp/{name}"));
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.run(&words)?;
        for word in &words[2..] {
            fs::remove_file(self.root.join(word.trim_start_matches('/')))?;
        }
        Ok(())
    }

    /// Whether what the preset names is enabled, the timer of updates but where a person has disabled it.
    fn enabled(&self, timer: bool) -> Vec<String> {
        let preset =
            fs::read_to_string(tree(&HOST).join("usr/lib/systemd/system-preset/80-update-stack.preset"));
        let preset = preset.unwrap_or_default();
        let units: Vec<&str> = preset.lines().filter_map(|line| line.strip_prefix("enable ")).collect();
        let mut findings = Vec::new();
        if units.is_empty() {
            findings.push("the preset names no unit".to_owned());
        }
        for unit in units {
            let wanted = timer || unit != "update-check.timer";
            // It exits with an error for what is disabled.
            let is = self.run(&["systemctl", "is-enabled", unit]).is_ok();
            if is != wanted {
                findings.push(format!("{unit} is {}enabled", if is { "" } else { "not " }));
            }
        }
        findings
    }

    /// Each program starts where nothing is but what the packages depend on.
    fn programs(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let mut findings = Vec::new();
        for package in PACKAGES {
            let Ok(programs) = fs::read_dir(tree(package).join("usr/bin")) else { continue };
            for program in programs {
                let name = program?.file_name().to_string_lossy().into_owned();
                match self.run(&[&name, "--version"]) {
                    Ok(said) if said.contains(env!("CARGO_PKG_VERSION")) => {}
                    Ok(said) => findings.push(format!("{name} --version says {said:?}")),
                    Err(error) => findings.push(error.to_string()),
                }
            }
        }
        Ok(findings)
    }

    /// What systemd says of every unit where it is installed, and of those of each engine.
    fn units(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let place = Path::new("usr/lib/systemd/system");
        let names = |dir: &Path| -> Result<Vec<String>, Box<dyn Error>> {
            let mut names: Vec<String> = fs::read_dir(dir)?
                .filter_map(Result::ok)
                .filter(|entry| entry.path().is_file())
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            Ok(names)
        };
        let mut findings = Vec::new();
        let mut count = 0;
        for name in names(&tree(&HOST).join(place))? {
            findings.extend(self.verify(&name));
            count += 1;
        }
        let engines = Path::new("usr/share/update-stack/engines");
        for engine in fs::read_dir(tree(&HOST).join(engines))? {
            let engine = engine?.file_name();
            let units = self.root.join(engines).join(engine).join("system");
            let mut there = Vec::new();
            for name in names(&units)? {
                let text = fs::read_to_string(units.join(&name))?;
                fs::write(self.root.join(place).join(&name), &text)?;
                there.push(self.root.join(place).join(&name));
                there.extend(self.stand_in(&text)?);
            }
            for name in names(&units)? {
                findings.extend(self.verify(&name.replace("@.", "@admin.")));
                count += 1;
            }
            for path in there {
                fs::remove_file(path)?;
            }
        }
        println!("systemd-analyze verify: {count} units");
        Ok(findings)
    }

    /// Engines are not installed here: for each program of one that a unit starts, a file that could be executed.
    fn stand_in(&self, unit: &str) -> Result<Vec<PathBuf>, Box<dyn Error>> {
        use std::os::unix::fs::PermissionsExt as _;
        let mut made = Vec::new();
        for line in unit.lines().filter(|line| line.starts_with("Exec")) {
            let program = line.split_once("=").map_or("", |(_, rest)| rest.trim_start_matches('-'));
            let program = program.split(' ').next().unwrap_or_default();
            let path = self.root.join(program.trim_start_matches('/'));
            if !path.exists() {
                fs::write(&path, "#!/bin/sh\n")?;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
                made.push(path);
            }
        }
        Ok(made)
    }

    fn verify(&self, unit: &str) -> Vec<String> {
        let path = format!("/usr/lib/systemd/system/{unit}");
        let output =
            command("chroot").arg(&self.root).args(["systemd-analyze", "verify", "--man=no", &path]).output();
        match output {
            Err(error) => vec![format!("systemd-analyze does not run: {error}")],
            Ok(output) => {
                let words = String::from_utf8_lossy(&output.stderr).into_owned();
                let mut findings: Vec<String> = words.lines().map(|line| format!("{unit}: {line}")).collect();
                if !output.status.success() && findings.is_empty() {
                    findings.push(format!("{unit}: systemd-analyze ended with {}", output.status));
                }
                findings
            }
        }
    }

    /// A system that was not started from a set would not start again with this initramfs.
    fn refuses_where_a_system_runs(&self, debs: &[PathBuf]) -> Result<Vec<String>, Box<dyn Error>> {
        let running = self.root.join("run/systemd/system");
        fs::create_dir_all(&running)?;
        let deb = debs.last().ok_or("find the package of the initramfs")?;
        let inside = self.root.join("tmp/boot.deb");
        fs::copy(deb, &inside)?;
        let output = self.inside(&["dpkg", "--install", "/tmp/boot.deb"]).output()?;
        fs::remove_file(inside)?;
        fs::remove_dir_all(self.root.join("run/systemd"))?;
        let words = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            Ok(vec!["update-stack-boot lets itself be installed into a system that runs".to_owned()])
        } else if words.contains("it would not start again") {
            Ok(Vec::new())
        } else {
            Ok(vec![format!("update-stack-boot is refused for another reason: {words}")])
        }
    }

    /// Everything below the root but what belongs to the system itself.
    fn files(&self) -> Result<BTreeSet<String>, Box<dyn Error>> {
        let listed =
            said(command("find").arg(&self.root).args(["-xdev", "-mindepth", "1", "-printf", "%P\n"]))?;
        Ok(listed
            .lines()
            .filter(|path| !OF_THE_SYSTEM.iter().any(|dir| Path::new(path).starts_with(dir)))
            .filter(|path| !OF_USERS.contains(path))
            .map(str::to_owned)
            .collect())
    }
}
