//! The images of a release that really boots: a root with our programs and a minimal init, its hash tree, and a BOOT with
//! Debian's kernel.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use testdata::Images;
use testdata::image::hash;
use testdata::image::model::{DIR, Repository, SHIPPED, settings_model};

use super::initramfs;
use super::kernel::Kernel;
use super::program;
use super::signer::Signer;
use super::units::MIB;
use crate::bench::tools::{command, said};

/// The programs of ours that run in the VM.
const PROGRAMS: [&str; 5] = ["updog", "signpost", "migrator", "apiserver", "vm-door"];
/// The driver of the VM's network card, and what it stands on.
const MODULES: [&str; 1] = ["virtio_net"];
/// What makes a program for UEFI of a kernel, an initramfs and a command line.
const STUB: &str = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";
/// Where the unified image lies in BOOT, as mtools name it.
pub(super) const UNIFIED: &str = "::EFI/Linux/ours.efi";
/// What the images are called, in a directory for each release.
const BOOT_IMAGE: &str = "boot.fat";
const ROOT: &str = "root.erofs";
const HASH: &str = "root.verity";
/// How large a BOOT is.
const BOOT: u64 = 36 * MIB;

/// What is wrong with a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Flaw {
    /// Nothing.
    #[default]
    None,
    /// The first process ends, and the kernel panics.
    PanicInInit,
    /// The first process stands still before it feeds the watchdog.
    HangInInit,
    /// A health check says no.
    Unhealthy,
    /// A health check never ends.
    HangInCheck,
    /// BOOT's kernel is none.
    BadKernel,
    /// BOOT's kernel is a program that stands still before it leaves the firmware.
    HangBeforeKernel,
}

impl Flaw {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::PanicInInit => "panic-in-init",
            Self::HangInInit => "hang-in-init",
            Self::Unhealthy => "unhealthy",
            Self::HangInCheck => "hang-in-check",
            Self::BadKernel => "bad-kernel",
            Self::HangBeforeKernel => "hang-before-kernel",
        }
    }
}

/// What releases are made of: the same for all of them.
pub(super) struct Workshop {
    kernel: Kernel,
    programs: PathBuf,
    initrd: PathBuf,
    dir: PathBuf,
}

impl Workshop {
    /// Fetches the kernel, strips the programs, and makes the initramfs, all below `dir`. Only the kernel is kept from
    /// run to run, in `cache`.
    pub(super) fn set_up(dir: &Path, cache: &Path) -> Result<Self, Box<dyn Error>> {
        let kernel = Kernel::fetch(cache)?;
        let programs = dir.join("programs");
        fs::create_dir_all(&programs)?;
        for name in PROGRAMS {
            said(command("strip").arg("-o").arg(programs.join(name)).arg(testdata::program(name)))?;
        }
        let initrd = initramfs::make(&kernel, &programs, dir)?;
        Ok(Self { kernel, programs, initrd, dir: dir.to_owned() })
    }

    /// The images of a release without a flaw that was built last.
    pub(super) fn built(&self, version: &str) -> Result<Images, Box<dyn Error>> {
        let dir = self.place(version, Flaw::None);
        let hash = dir.join(HASH);
        let root_hash = verity::HashTree::parse(&fs::read(&hash)?)?.root_hash();
        Ok(Images { boot: dir.join(BOOT_IMAGE), root: dir.join(ROOT), hash, root_hash })
    }

    fn place(&self, version: &str, flaw: Flaw) -> PathBuf {
        self.dir.join(format!("{version}-{}", flaw.name()))
    }

    /// Builds the images of a release.
    pub(super) fn build(&self, wanted: &Wanted<'_>) -> Result<Images, Box<dyn Error>> {
        let dir = self.place(wanted.version, wanted.flaw);
        fs::create_dir_all(&dir)?;
        let tree = dir.join("tree");
        self.fill(&tree, wanted)?;
        let root = dir.join(ROOT);
        // The same bytes for the same tree.
        said(
            command("mkfs.erofs")
                .args(["--quiet", "--all-root", "-T", "0", "-U", "00000000-0000-4000-8000-000000000000"])
                .args([&root, &tree]),
        )?;
        fs::remove_dir_all(&tree)?;
        let hashed = hash::build(&root)?;
        fs::write(dir.join(HASH), &hashed.bytes)?;
        let command_line = format!(
            "console=ttyS0 gpt panic=1 loglevel=6 root=/dev/mapper/root rootfstype=erofs ro systemd.gpt_auto=no \
             signpost.roothash={} signpost.watchdog={} sysctl.kernel.hung_task_timeout_secs=900 no_timer_check {}",
            hashed.root_hash, wanted.watchdog, wanted.words
        );
        let boot = dir.join(BOOT_IMAGE);
        match wanted.signer {
            None => self.boot(&boot, command_line.trim(), wanted.flaw)?,
            Some(signer) => self.unified_boot(&boot, command_line.trim(), signer)?,
        }
        Ok(Images { boot, root, hash: dir.join(HASH), root_hash: hashed.root_hash })
    }

    /// BOOT as a FAT file system.
    fn boot(&self, boot: &Path, command_line: &str, flaw: Flaw) -> Result<(), Box<dyn Error>> {
        empty_fat(boot)?;
        let files = boot.with_extension("files");
        fs::create_dir_all(&files)?;
        match flaw {
            Flaw::BadKernel => fs::write(files.join("vmlinuz"), vec![0x5a; 4096])?,
            Flaw::HangBeforeKernel => fs::write(files.join("vmlinuz"), program::standing_still())?,
            _ => fs::copy(self.kernel.image(), files.join("vmlinuz")).map(drop)?,
        }
        fs::copy(&self.initrd, files.join("initrd"))?;
        fs::write(files.join("cmdline"), format!("{command_line}\n"))?;
        let files = ["vmlinuz", "initrd", "cmdline"].map(|name| files.join(name));
        said(command("mcopy").arg("-i").arg(boot).args(&files).arg("::"))?;
        Ok(())
    }

    /// BOOT with one unified image: kernel, initramfs and command line in one signed program.
    fn unified_boot(&self, boot: &Path, command_line: &str, signer: &Signer) -> Result<(), Box<dyn Error>> {
        empty_fat(boot)?;
        let files = boot.with_extension("files");
        fs::create_dir_all(&files)?;
        fs::write(files.join("cmdline"), command_line)?;
        fs::write(files.join("os-release"), "ID=ours\nNAME=Ours\n")?;
        let image = files.join("ours.efi");
        let parts: [(&str, PathBuf, &str); 4] = [
            (".osrel", files.join("os-release"), "0x20000"),
            (".cmdline", files.join("cmdline"), "0x30000"),
            (".linux", self.kernel.image(), "0x2000000"),
            (".initrd", self.initrd.clone(), "0x4000000"),
        ];
        let mut objcopy = command("objcopy");
        for (section, file, at) in parts {
            objcopy.arg("--add-section").arg(format!("{section}={}", file.display()));
            objcopy.arg("--change-section-vma").arg(format!("{section}={at}"));
        }
        said(objcopy.arg(STUB).arg(&image))?;
        signer.sign(&image)?;
        said(command("mmd").arg("-i").arg(boot).args(["::EFI", "::EFI/Linux"]))?;
        said(command("mcopy").arg("-i").arg(boot).arg(&image).arg(UNIFIED))?;
        Ok(())
    }

    fn fill(&self, tree: &Path, wanted: &Wanted<'_>) -> Result<(), Box<dyn Error>> {
        let _ = fs::remove_dir_all(tree);
        let at = |path: &str| tree.join(path);
        for dir in [
            "usr/bin",
            "usr/lib64",
            "usr/lib/vm",
            "usr/lib/updog/health.d",
            "usr/share/updog",
            "usr/share/vm",
            "etc",
        ] {
            fs::create_dir_all(at(dir))?;
        }
        for dir in ["dev", "local", "proc", "root", "run", "sys", "tmp", "var"] {
            fs::create_dir(at(dir))?;
        }
        for (link, to) in
            [("bin", "usr/bin"), ("sbin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")]
        {
            symlink(to, at(link))?;
        }
        self.programs_into(tree)?;
        self.modules_into(tree)?;
        let texts: [(&str, &str, u32); 5] = [
            ("usr/bin/init", include_str!("guest/init"), 0o755),
            ("usr/lib/vm/control", include_str!("guest/control"), 0o755),
            ("usr/bin/systemctl", include_str!("guest/systemctl"), 0o755),
            ("usr/share/vm/fault", wanted.flaw.name(), 0o644),
            ("usr/share/vm/deadline", &wanted.deadline.to_string(), 0o644),
        ];
        for (path, text, mode) in texts {
            put(&at(path), text, mode)?;
        }
        match wanted.flaw {
            Flaw::Unhealthy => put(
                &at("usr/lib/updog/health.d/10-never"),
                "#!/bin/sh\necho the check says no >&2\nexit 1\n",
                0o755,
            )?,
            Flaw::HangInCheck => {
                put(&at("usr/lib/updog/health.d/10-hangs"), "#!/bin/sh\nexec sleep 36000\n", 0o755)?
            }
            _ => {}
        }
        let version = wanted.version;
        let os_release = format!(
            "NAME=Ours\nID=ours\nPRETTY_NAME=\"Ours OS {version}\"\nVARIANT_ID={}\nVERSION_ID={version}\nBUILD_ID=vm\n",
            testdata::VARIANT
        );
        put(&at("usr/lib/os-release"), &os_release, 0o644)?;
        fs::write(at("usr/share/updog/root.json"), wanted.trusted_root)?;
        if let Some(bootpick) = wanted.bootpick {
            fs::create_dir_all(at("usr/lib/signpost"))?;
            fs::write(at("usr/lib/signpost/BOOTX64.EFI"), bootpick)?;
        }
        for (name, text) in SHIPPED {
            put(&at(&format!("{DIR}/{name}")), text, 0o644)?;
        }
        let model = settings_model(&version.parse()?, wanted.repository);
        put(&at(&format!("{DIR}/settings.toml")), &model, 0o644)?;
        Ok(())
    }

    /// Our programs, busybox under all its names, and the libraries that ours need.
    fn programs_into(&self, tree: &Path) -> Result<(), Box<dyn Error>> {
        let bin = tree.join("usr/bin");
        fs::copy("/usr/bin/busybox", bin.join("busybox"))
            .or_else(|_| fs::copy("/bin/busybox", bin.join("busybox")))?;
        for name in said(command("busybox").arg("--list"))?
            .lines()
            .filter(|name| !matches!(*name, "busybox" | "init"))
        {
            symlink("busybox", bin.join(name))?;
        }
        let mut libraries = BTreeSet::new();
        for name in PROGRAMS {
            fs::copy(self.programs.join(name), bin.join(name))?;
            let needed = said(command("ldd").arg(self.programs.join(name)))?;
            libraries
                .extend(needed.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned));
        }
        for library in libraries {
            let to = tree.join("usr").join(library.trim_start_matches("/usr").trim_start_matches('/'));
            fs::create_dir_all(to.parent().ok_or("find the directory of a library")?)?;
            fs::copy(&library, to)?;
        }
        Ok(())
    }

    fn modules_into(&self, tree: &Path) -> Result<(), Box<dyn Error>> {
        let from = self.kernel.modules();
        let to = tree.join("usr/lib/modules").join(&self.kernel.version);
        for name in MODULES {
            let shown = said(
                command("modprobe")
                    .args(["--show-depends", "--set-version", &self.kernel.version, "--dirname"])
                    .arg(&self.kernel.dir)
                    .arg(name),
            )?;
            for module in shown.lines().filter_map(|line| line.strip_prefix("insmod ")) {
                let module = Path::new(module.trim());
                let inside = module.strip_prefix(&from)?;
                let copy = to.join(inside);
                fs::create_dir_all(copy.parent().ok_or("find the directory of a module")?)?;
                fs::copy(module, copy)?;
            }
        }
        for list in ["modules.dep", "modules.alias", "modules.symbols", "modules.builtin"] {
            fs::copy(from.join(list), to.join(list))?;
        }
        Ok(())
    }
}

fn empty_fat(boot: &Path) -> Result<(), Box<dyn Error>> {
    let _ = fs::remove_file(boot);
    fs::File::create(boot)?.set_len(BOOT)?;
    said(command("mkfs.fat").args(["--invariant", "-n", "BOOT"]).arg(boot))?;
    Ok(())
}

/// A release that is wanted.
pub(super) struct Wanted<'a> {
    pub(super) version: &'a str,
    pub(super) flaw: Flaw,
    pub(super) trusted_root: &'a [u8],
    pub(super) repository: &'a Repository,
    /// How long a boot has to be marked good, in seconds.
    pub(super) deadline: u32,
    /// How long the watchdog waits, in seconds.
    pub(super) watchdog: u32,
    /// Who signs a unified image; without one there is a kernel with a loose initramfs and command line.
    pub(super) signer: Option<&'a Signer>,
    /// More words for the kernel's command line.
    pub(super) words: &'a str,
    /// The boot program that the release brings along.
    pub(super) bootpick: Option<&'a [u8]>,
}

fn put(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}
