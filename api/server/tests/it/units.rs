//! What is shipped for systemd, held against systemd's own opinion; skipped where it is not installed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs that units start.
const PROGRAMS: [&str; 10] = [
    "apiclient",
    "apiserver",
    "containerd",
    "ctr",
    "migrator",
    "mkdir",
    "podman",
    "signpost",
    "systemd-nspawn",
    "updog",
];

fn dist(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist").join(path)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Runs `systemd-analyze`; `None` where there is none.
fn analyze(args: &[&str]) -> Option<(bool, String)> {
    match Command::new("systemd-analyze").args(args).env("SYSTEMD_PAGER", "").output() {
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
        }
        Err(_) => {
            eprintln!("SKIPPED: there is no systemd-analyze here, so nobody judges the units");
            None
        }
    }
}

#[test]
fn every_unit_is_one_for_every_engine() {
    let system = Path::new("/lib/systemd/system");
    for engine in ["podman", "containerd", "nspawn"] {
        let root = tempfile::tempdir().unwrap();
        let (bin, units) = (root.path().join("usr/bin"), root.path().join("usr/lib/systemd/system"));
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(&units).unwrap();
        for program in PROGRAMS {
            fs::write(bin.join(program), "#!/bin/sh\n").unwrap();
            fs::set_permissions(bin.join(program), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let shipped =
            [files(&dist("usr/lib/systemd/system")), files(&dist("engines").join(engine).join("system"))]
                .concat();
        let mut judged = Vec::new();
        for unit in shipped {
            let name = unit.file_name().unwrap().to_str().unwrap().replace('@', "@admin");
            fs::copy(&unit, units.join(&name)).unwrap();
            judged.push(units.join(name).to_str().unwrap().to_owned());
        }
        // What a system has of its own, as far as our units name it.
        for unit in files(system).iter().filter(|unit| unit.extension().is_some_and(|kind| kind == "target"))
        {
            // Some are links to what is not there.
            let _ = fs::copy(unit, units.join(unit.file_name().unwrap()));
        }
        let root = format!("--root={}", root.path().display());
        let args: Vec<&str> =
            [root.as_str(), "verify"].into_iter().chain(judged.iter().map(String::as_str)).collect();
        let Some((good, said)) = analyze(&args) else { return };
        // What we do not ship and do not need to: the system's own setup of directories.
        let said: Vec<&str> = said.lines().filter(|line| !line.contains("systemd-tmpfiles-setup")).collect();
        assert!(good && said.is_empty(), "{engine}: {said:#?}");
    }
}

/// The most that each service may be exposed, in systemd's points, as docs/operating.md has it. More is a decision.
fn limits() -> Vec<(String, String)> {
    let page = fs::read_to_string(dist("../docs/operating.md")).unwrap();
    let rows = page.lines().skip_while(|line| *line != "| service | at most |").skip(2);
    let cells = rows.map_while(|row| row.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "));
    cells.map(|(service, limit)| (service.to_owned(), limit.to_owned())).collect()
}

#[test]
fn no_service_is_more_exposed_than_the_page_says() {
    for (service, limit) in limits() {
        let unit = dist("usr/lib/systemd/system").join(format!("{service}.service"));
        let threshold = format!("--threshold={}", limit.replace('.', ""));
        let args = ["security", "--offline=true", "--no-pager", &threshold, unit.to_str().unwrap()];
        let Some((good, said)) = analyze(&args) else { return };
        assert!(good, "{service}: {}", said.lines().last().unwrap_or_default());
    }
}

#[test]
fn what_is_locked_is_made_for_root_alone_and_a_directory_of_everybody_is_left_as_it_is() {
    let text = fs::read_to_string(dist("usr/lib/tmpfiles.d/update-stack.conf")).unwrap();
    let line = |path: &str| {
        let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let found = lines.into_iter().find(|words| words.get(1) == Some(&path));
        found.unwrap_or_else(|| panic!("no line for {path}"))
    };
    let lock = host_io::Paths::system().operation_lock();
    assert_eq!(
        line(lock.to_str().unwrap())[..5],
        ["f", "/run/lock/thar-be-updates.lock", "0600", "root", "root"]
    );
    for dir in [host_io::Paths::system().datastore(), host_io::Paths::system().update_state()] {
        assert_eq!(line(dir.to_str().unwrap())[2], "0700", "{}", dir.display());
    }
    assert_eq!(line("/run/lock")[2], "-");
}

#[test]
fn nothing_keeps_the_deadline_of_a_boot_from_being_kept() {
    let unit = fs::read_to_string(dist("usr/lib/systemd/system/boot-deadline.service")).unwrap();
    let has = |line: &str| unit.lines().any(|has| has == line);
    // It is tried again, for ever, unless nothing better boots; a note that hangs is waited for and no more; the kernel's
    // own reset is not filtered away.
    for line in [
        "Restart=on-failure",
        "RestartPreventExitStatus=1",
        "StartLimitIntervalSec=0",
        "Wants=boot-deadline-note.service",
        "SystemCallFilter=@system-service @reboot",
    ] {
        assert!(has(line), "{line}");
    }
    assert!(unit.contains("CAP_SYS_BOOT"));
    let note = fs::read_to_string(dist("usr/lib/systemd/system/boot-deadline-note.service")).unwrap();
    assert!(note.lines().any(|line| line == "TimeoutStartSec=1min"));
    let manager = fs::read_to_string(dist("usr/lib/systemd/system.conf.d/10-watchdog.conf")).unwrap();
    for setting in ["RuntimeWatchdogSec=", "RebootWatchdogSec="] {
        assert!(manager.lines().any(|line| line.starts_with(setting)), "{setting}");
    }
}

#[test]
fn the_deadline_of_a_boot_stands_behind_nothing_that_may_stand_still() {
    // What puts a unit behind others although it does not say so (systemd.exec(5), systemd.unit(5), systemd.timer(5),
    // systemd.service(5)).
    const WAITS: [&str; 15] = [
        "After",
        "PrivateTmp",
        "RequiresMountsFor",
        "WorkingDirectory",
        "RootDirectory",
        "RuntimeDirectory",
        "StateDirectory",
        "CacheDirectory",
        "LogsDirectory",
        "ConfigurationDirectory",
        "RootImage",
        "LogNamespace",
        "WantsMountsFor",
        "OnCalendar",
        "Sockets",
    ];
    for unit in ["boot-deadline.timer", "boot-deadline.service", "boot-deadline-note.service"] {
        let text = fs::read_to_string(dist("usr/lib/systemd/system").join(unit)).unwrap();
        let settings: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once('=')).collect();
        // Neither behind sysinit.target and with it every file system, nor stopped by rescue mode.
        for setting in [("DefaultDependencies", "no"), ("IgnoreOnIsolate", "yes")] {
            assert!(settings.contains(&setting), "{unit}: {setting:?}");
        }
        let behind: Vec<_> = settings.into_iter().filter(|(name, _)| WAITS.contains(name)).collect();
        let note = ("After", "boot-deadline-note.service");
        assert!(behind.iter().all(|of| *of == note && unit == "boot-deadline.service"), "{unit}: {behind:?}");
    }
    for unit in files(&dist("usr/lib/systemd/system")) {
        let text = fs::read_to_string(&unit).unwrap();
        let mut before = text.lines().filter(|line| line.starts_with("Before="));
        assert!(!before.any(|line| line.contains("boot-deadline")), "{}", unit.display());
    }
}

#[test]
fn no_service_of_ours_needs_room_on_the_persistent_partition_to_be_started() {
    for unit in files(&dist("usr/lib/systemd/system")) {
        let text = fs::read_to_string(&unit).unwrap();
        // A directory below /var/tmp for each start (systemd.exec(5)): where there is no room no boot would be confirmed.
        assert!(!text.lines().any(|line| line.starts_with("PrivateTmp=")), "{}", unit.display());
    }
}

#[test]
fn the_deadline_of_a_boot_does_not_bring_back_a_host_that_is_switched_off() {
    let timer = fs::read_to_string(dist("usr/lib/systemd/system/boot-deadline.timer")).unwrap();
    for line in ["Conflicts=shutdown.target", "Before=shutdown.target"] {
        assert!(timer.lines().any(|has| has == line), "{line}");
    }
    // It asks for a shutdown itself, and goes on to harder ways when that comes to no end.
    let service = fs::read_to_string(dist("usr/lib/systemd/system/boot-deadline.service")).unwrap();
    assert!(!service.contains("shutdown.target"));
}

#[test]
fn every_service_of_ours_has_a_limit_on_its_exposure() {
    let limited: Vec<String> = limits().into_iter().map(|(service, _)| service).collect();
    let mut services: Vec<String> = files(&dist("usr/lib/systemd/system"))
        .iter()
        .filter(|unit| unit.extension().is_some_and(|kind| kind == "service"))
        .map(|unit| unit.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    services.sort();
    assert_eq!(services, limited);
}
