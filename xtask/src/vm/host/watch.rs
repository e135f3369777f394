//! What a release has beside the example so that it can be watched: words on its console, a way to its API from outside,
//! and an update timer that does not let anybody wait for half an hour. Everything else is as the example has it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::health::Health;

/// Words for the command line: the console, and the journal's warnings on it. An emulated machine that is busy may miss
/// the kernel's first ticks.
pub(super) const WORDS: [&str; 5] = [
    "console=ttyS0",
    "loglevel=6",
    "no_timer_check",
    "systemd.journald.forward_to_console=1",
    "systemd.journald.max_level_console=warning",
];

/// Says that this is the first boot of an instance.
pub(in crate::vm) const FIRST_BOOT: &str = "watch: this is the first boot of this host";
/// Stands in front of the id of the host.
pub(in crate::vm) const MACHINE_ID: &str = "watch: the id of this host is ";

/// What the host says each time after its timer has looked for a release and found none to take.
pub(in crate::vm) const LOOKED: &str = "watch: looked for a release";

const FILES: [(&str, &str); 9] = [
    (
        "usr/lib/systemd/system/update-check.timer.d/soon.conf",
        "[Timer]\nOnBootSec=1min\nOnUnitInactiveSec=30s\nRandomizedDelaySec=0\n",
    ),
    (
        "usr/lib/systemd/system/update-check.service.d/watch.conf",
        "[Service]\nSyslogLevel=warning\nExecStartPost=/bin/echo \"watch: looked for a release\"\n",
    ),
    (
        "usr/lib/systemd/system/confirm-boot.service.d/watch.conf",
        "[Service]\nSyslogLevel=warning\n\
         ExecStartPost=/bin/sh -c 'echo \"watch: the id of this host is $(cat /etc/machine-id)\"'\n\
         ExecStartPost=/bin/sh -c 'echo \"watch: containerd is $(systemctl is-active containerd)\"'\n\
         ExecStartPost=/bin/grep VERSION_ID /usr/lib/os-release\n",
    ),
    ("usr/lib/systemd/system/first-boot-settings.service.d/watch.conf", "[Service]\nSyslogLevel=warning\n"),
    (
        "usr/lib/systemd/system/watch-first-boot.service",
        "[Unit]\nConditionFirstBoot=yes\nBefore=confirm-boot.service\n\
         [Service]\nType=oneshot\nSyslogLevel=warning\n\
         ExecStart=/bin/echo \"watch: this is the first boot of this host\"\n\
         [Install]\nWantedBy=multi-user.target\n",
    ),
    (
        "usr/lib/systemd/system/watch-api.socket",
        "[Socket]\nListenStream=80\n[Install]\nWantedBy=sockets.target\n",
    ),
    (
        "usr/lib/systemd/system/watch-api.service",
        "[Service]\nExecStart=/usr/lib/systemd/systemd-socket-proxyd /run/api.sock\n",
    ),
    ("etc/nftables.d/watch.nft", "add rule inet host input tcp dport 80 accept\n"),
    (
        "usr/lib/systemd/system-preset/70-watch.preset",
        "enable watch-api.socket\nenable watch-first-boot.service\n",
    ),
];

/// What an unhealthy release has beside that: a check that says no, and less time than ten minutes to say yes in. An
/// emulated machine that is busy is at its checks within two or three.
const UNHEALTHY: [(&str, &str); 2] = [
    ("usr/lib/updog/health.d/90-no", "#!/bin/sh\nexit 1\n"),
    ("usr/lib/systemd/system/boot-deadline.timer.d/soon.conf", "[Timer]\nOnBootSec=\nOnBootSec=4min\n"),
];

/// What a release has beside that which fills the persistent partition: to the last block, also of those that are kept for
/// root, once the settings are carried over and before anybody asks how it is. What does not fit is not missed.
const FILLING: [(&str, &str); 5] = [
    (
        "usr/lib/watch/fill",
        "#!/bin/sh\n\
         fallocate -l $(($(stat -f -c '%f * %S' /local))) /local/filled\n\
         dd if=/dev/zero of=/local/filled-more bs=4096 status=none\n\
         echo \"watch: there is no room any more\"\n",
    ),
    (
        "usr/lib/systemd/system/watch-fill.service",
        "[Unit]\nAfter=migrator.service\nBefore=confirm-boot.service\n\
         [Service]\nType=oneshot\nSyslogLevel=warning\nExecStart=/usr/lib/watch/fill\n\
         [Install]\nWantedBy=multi-user.target\n",
    ),
    ("usr/lib/systemd/system-preset/70-watch-fill.preset", "enable watch-fill.service\n"),
    ("usr/lib/updog/health.d/90-room", "#!/bin/sh\necho enough >/local/probe && rm /local/probe\n"),
    UNHEALTHY[1],
];

/// Writes all that a release has below `dir`.
pub(super) fn lay(dir: &Path, health: Health) -> io::Result<()> {
    let more: &[_] = match health {
        Health::Good => &[],
        Health::Unhealthy => &UNHEALTHY,
        Health::Filling => &FILLING,
    };
    for (path, text) in FILES.iter().chain(more) {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a directory"))?;
        fs::write(&path, text)?;
        let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_what_units_say() {
        let all: String = FILES.iter().map(|(_, text)| *text).collect();
        assert!([FIRST_BOOT, MACHINE_ID, LOOKED].iter().all(|words| all.contains(words)));
    }
}
