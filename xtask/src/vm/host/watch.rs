//! What a release has beside the example so that it can be watched: words on its console, a way to its API from outside,
//! and an update timer that does not let anybody wait for half an hour. Everything else is as the example has it.

use std::fs;
use std::io;
use std::path::Path;

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

const FILES: [(&str, &str); 7] = [
    (
        "usr/lib/systemd/system/update-check.timer.d/soon.conf",
        "[Timer]\nOnBootSec=1min\nOnUnitInactiveSec=30s\nRandomizedDelaySec=0\n",
    ),
    (
        "usr/lib/systemd/system/confirm-boot.service.d/watch.conf",
        "[Service]\nSyslogLevel=warning\n\
         ExecStartPost=/bin/sh -c 'echo \"watch: the id of this host is $(cat /etc/machine-id)\"'\n\
         ExecStartPost=/bin/sh -c 'echo \"watch: containerd is $(systemctl is-active containerd)\"'\n\
         ExecStartPost=/bin/grep VERSION_ID /usr/lib/os-release\n",
    ),
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

/// Writes all of it below `dir`.
pub(super) fn lay(dir: &Path) -> io::Result<()> {
    for (path, text) in FILES {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a directory"))?;
        fs::write(path, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_what_units_say() {
        let all: String = FILES.iter().map(|(_, text)| *text).collect();
        assert!(all.contains(FIRST_BOOT) && all.contains(MACHINE_ID));
    }
}
