//! What lies in the directories of health checks, and what of it cannot run. Other hooks lie in directories of the same kind.
//!
//! By its name an entry is a check or it is none, whatever else it is: a check that has lost its execute bit, or a link
//! whose end is gone, must not turn into nothing.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use host_io::Paths;
use rustix::fs::{Access, access};

/// How much of a script's first line the kernel reads, in bytes.
const FIRST_LINE: u64 = 256;

/// What lies in the directories of health checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries {
    /// The checks in the order in which they run, by name.
    pub checks: BTreeMap<String, PathBuf>,
    /// What would fail because it cannot run.
    pub broken: Vec<Broken>,
    /// What is no check by its name: notes, backups, what package managers leave; and checks that a link to `/dev/null`
    /// in the host's directory switches off.
    pub ignored: Vec<PathBuf>,
}

/// A check that cannot run, or a directory of them that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// What kind of program it is, for people.
    pub kind: &'static str,
    /// The check's name; none for a directory.
    pub name: Option<String>,
    /// Where it lies.
    pub path: PathBuf,
    /// Why not, as the end of a sentence.
    pub why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, path, why) = (self.kind, self.path.display(), &self.why);
        match &self.name {
            Some(name) => write!(f, "the {kind} {name} cannot run: {path} {why}"),
            None => write!(f, "the {kind}s in {path} cannot be found: it {why}"),
        }
    }
}

impl Entries {
    /// Looks at both directories. One that is not there has no checks.
    #[must_use]
    pub fn find(paths: &Paths) -> Self {
        Self::find_in(paths.health_checks(), "health check")
    }

    /// [`Entries::find`] in the image's directory and then the host's, of programs that are called `kind`.
    #[must_use]
    pub fn find_in(dirs: [PathBuf; 2], kind: &'static str) -> Self {
        let mut found = Self::default();
        for dir in dirs {
            let names = match names(&dir) {
                Ok(names) => names,
                Err(error) => {
                    let why = format!("cannot be read ({error})");
                    found.broken.push(Broken { kind, name: None, path: dir, why });
                    continue;
                }
            };
            for name in names {
                let path = dir.join(&name);
                match name.to_str().filter(|name| is_name(name)) {
                    // What the host has goes before what the image has.
                    Some(name) if is_switched_off(&path) => {
                        found.ignored.extend(found.checks.remove(name));
                        found.ignored.push(path);
                    }
                    Some(name) => {
                        found.checks.insert(name.to_owned(), path);
                    }
                    None => found.ignored.push(path),
                }
            }
        }
        for (name, path) in &found.checks {
            if let Err(why) = runs(path) {
                found.broken.push(Broken { kind, name: Some(name.clone()), path: path.clone(), why });
            }
        }
        found
    }

    /// What of it is the host's and not the image's, and cannot run: it will be there in the next release as well.
    pub fn broken_of_the_host(&self, paths: &Paths) -> Option<&Broken> {
        let [_, dir] = paths.health_checks();
        self.broken.iter().find(|broken| broken.path.starts_with(&dir))
    }
}

/// The names in a directory, sorted.
fn names(dir: &Path) -> io::Result<Vec<std::ffi::OsString>> {
    let listing = match fs::read_dir(dir) {
        // A link to nowhere is not the same as nothing.
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(dir).is_err() => {
            return Ok(Vec::new());
        }
        listing => listing?,
    };
    let mut names = listing.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// Whether an entry of this name is a check: letters, digits, `_` and `-`, with `.sh` at its end or not; and no README.
fn is_name(name: &str) -> bool {
    let stem = name.strip_suffix(".sh").unwrap_or(name);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !stem.is_empty() && stem.bytes().all(plain) && !stem.eq_ignore_ascii_case("README")
}

/// As with units and settings of systemd: a link to `/dev/null` takes the place of what it hides.
fn is_switched_off(path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|target| target.as_os_str() == OsStr::new("/dev/null"))
}

/// Whether the kernel would start it, as far as that can be told without trying.
fn runs(path: &Path) -> Result<(), String> {
    let metadata = fs::metadata(path).map_err(|error| match fs::read_link(path) {
        Ok(target) => format!("is a link to {}, which cannot be used ({error})", target.display()),
        Err(_) => format!("cannot be used ({error})"),
    })?;
    if metadata.is_dir() {
        return Err("is a directory".to_owned());
    }
    if !metadata.is_file() {
        return Err("is no file".to_owned());
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(format!("has no execute permission (chmod +x {})", path.display()));
    }
    access(path, Access::EXEC_OK).map_err(|error| format!("may not be executed ({error})"))?;
    let mut head = Vec::new();
    match File::open(path).and_then(|file| file.take(FIRST_LINE).read_to_end(&mut head)) {
        // What may be executed and not read is a program of its own kind.
        Err(_) => Ok(()),
        Ok(_) => begins_well(&head),
    }
}

/// Whether the kernel knows what to do with a file that begins like this.
fn begins_well(head: &[u8]) -> Result<(), String> {
    if head.is_empty() {
        return Err("is empty".to_owned());
    }
    let Some(line) = head.strip_prefix(b"#!") else {
        // Anything that is no text may be a program that the kernel was taught about.
        let is_text = !head.contains(&0) && !head.starts_with(b"\x7fELF");
        return if is_text {
            Err("is neither a program nor a script with #! in its first line".to_owned())
        } else {
            Ok(())
        };
    };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if line.ends_with(b"\r") {
        return Err(
            "has lines that end with CR LF, as on Windows, so that its #! names no program".to_owned()
        );
    }
    let line = line.trim_ascii();
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let interpreter = String::from_utf8_lossy(&line[..end]);
    match fs::metadata(&*interpreter) {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err(format!("wants to be run by {interpreter:?}, which is no program")),
        Err(error) => Err(format!("wants to be run by {interpreter:?} ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Machine {
        dir: tempfile::TempDir,
        paths: Paths,
    }

    impl Machine {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let paths = Paths::under(dir.path());
            Self { dir, paths }
        }

        /// Where an entry of the image's directory (0) or the host's (1) lies.
        fn at(&self, dir: usize, name: &str) -> PathBuf {
            let path = self.paths.health_checks()[dir].join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            path
        }

        fn put(&self, dir: usize, name: &str, mode: u32, text: &str) {
            let path = self.at(dir, name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }

        fn find(&self) -> Entries {
            Entries::find(&self.paths)
        }
    }

    const SCRIPT: &str = "#!/bin/sh\nexit 0\n";

    #[test]
    fn its_name_tells_whether_an_entry_is_a_check() {
        for name in ["10-net", "net", "A_b-3", "10-net.sh", "-"] {
            assert!(is_name(name), "{name}");
        }
        let others = "10-net~ 10-net.bak .10-net .sh README readme README.sh README.md 10-net.dpkg-old 10-net.rpmnew #10-net# 10-net.sh.orig 10.net \u{fc}ber";
        for name in others.split(' ') {
            assert!(!is_name(name), "{name}");
        }
        let machine = Machine::new();
        machine.put(1, "10-net.bak", 0o755, SCRIPT);
        machine.put(0, "20-disk", 0o755, SCRIPT);
        symlink("/nowhere", machine.at(0, "20-disk.rpmsave")).unwrap();
        let found = machine.find();
        assert_eq!(found.checks.into_keys().collect::<Vec<_>>(), ["20-disk"]);
        assert_eq!(found.broken, []);
        assert_eq!(found.ignored, [machine.at(0, "20-disk.rpmsave"), machine.at(1, "10-net.bak")]);
    }

    #[test]
    fn what_cannot_run_is_told_with_its_name_and_why() {
        let machine = Machine::new();
        let text = |mode, text: &'static str| {
            move |path: &Path| {
                fs::write(path, text).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            }
        };
        type Make = Box<dyn Fn(&Path)>;
        let wrong: Vec<(Make, &str)> = vec![
            (Box::new(text(0o644, SCRIPT)), "has no execute permission (chmod +x "),
            (
                Box::new(|path: &Path| symlink("/nowhere", path).unwrap()),
                "is a link to /nowhere, which cannot be used",
            ),
            (
                Box::new(|path: &Path| symlink("10-net", path).unwrap()),
                "is a link to 10-net, which cannot be used",
            ),
            (Box::new(|path: &Path| fs::create_dir(path).unwrap()), "is a directory"),
            (Box::new(|path: &Path| symlink("/dev/zero", path).unwrap()), "is no file"),
            (Box::new(text(0o755, "#!/bin/sh\r\nexit 0\r\n")), "has lines that end with CR LF"),
            (Box::new(text(0o755, "#!/nowhere/python3 -u\n")), "wants to be run by \"/nowhere/python3\""),
            (Box::new(text(0o755, "#! /bin -e\n")), "wants to be run by \"/bin\", which is no program"),
            (
                Box::new(text(0o755, "exit 0\n")),
                "is neither a program nor a script with #! in its first line",
            ),
            (Box::new(text(0o755, "")), "is empty"),
        ];
        for (make, why) in wrong {
            make(&machine.at(1, "10-net"));
            let found = machine.find();
            let [broken] = &found.broken[..] else { panic!("{why}: {found:?}") };
            let begin =
                format!("the health check 10-net cannot run: {} {why}", machine.at(1, "10-net").display());
            assert!(broken.to_string().starts_with(&begin), "{broken}");
            assert_eq!(found.broken_of_the_host(&machine.paths), Some(broken));
            let path = machine.at(1, "10-net");
            fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).unwrap();
        }
        for (mode, text) in
            [(0o755, SCRIPT), (0o755, "#!/bin/sh -e"), (0o700, "#! /bin/sh\n"), (0o755, "\x7fELF\x02")]
        {
            machine.put(1, "10-net", mode, text);
            assert_eq!(machine.find().broken, [], "{text}");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_read_is_told_and_one_that_is_not_there_has_no_checks() {
        let machine = Machine::new();
        assert_eq!(machine.find(), Entries::default());
        let dir = machine.paths.health_checks()[1].clone();
        fs::create_dir_all(dir.parent().unwrap()).unwrap();
        symlink("/nowhere", &dir).unwrap();
        for _ in 0..2 {
            let found = machine.find();
            let [broken] = &found.broken[..] else { panic!("{found:?}") };
            assert!(broken.to_string().contains("cannot be found: it cannot be read ("), "{broken}");
            assert_eq!(found.broken_of_the_host(&machine.paths), Some(broken));
            // And a file where the directory belongs.
            fs::remove_file(&dir).unwrap();
            fs::write(&dir, "").unwrap();
        }
        assert!(machine.dir.path().exists());
    }

    #[test]
    fn what_the_host_has_takes_the_place_of_what_the_image_has() {
        let machine = Machine::new();
        machine.put(0, "10-net", 0o644, SCRIPT);
        let found = machine.find();
        assert_eq!((found.broken.len(), found.broken_of_the_host(&machine.paths)), (1, None));
        machine.put(1, "10-net", 0o755, SCRIPT);
        let found = machine.find();
        assert_eq!((found.broken, &found.checks["10-net"]), (vec![], &machine.at(1, "10-net")));
        fs::remove_file(machine.at(1, "10-net")).unwrap();
        symlink("/dev/null", machine.at(1, "10-net")).unwrap();
        let found = machine.find();
        assert_eq!((found.checks.len(), found.broken), (0, vec![]));
        assert_eq!(found.ignored, [machine.at(0, "10-net"), machine.at(1, "10-net")]);
    }
}
