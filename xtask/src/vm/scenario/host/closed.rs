//! What nobody can do to it, whoever they are; and what only those can do who may do everything.

use std::fs;

use crate::cargo::workspace;
use crate::vm::host::{ContainerHost, Way};
use crate::vm::unmet::Unmet;

/// Where a superpowered container has the host's files.
pub(super) const ROOTFS: &str = "/.bottlerocket/rootfs";

/// Where it has its units.
const UNITS: &str = "/usr/lib/systemd/system";

/// Whoever may do everything changes nothing that a release consists of. The disk is looked at from outside.
pub(in crate::vm::scenario) fn readonly(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
    host.build("1.0.0")?;
    host.publish("1.0.0")?;
    host.install()?;
    host.give(Way::File, "settings.network.hostname = \"bonn\"\n")?;
    let before = host.keep()?;
    host.first_boot()?;
    host.shows("/local/user-data.toml are in force")?;
    host.call("apiclient", &["set", "motd=a busy day"], None)?;
    host.call("enable-admin-container", &[], None)?;
    host.answers("admin", true)?;
    for line in [
        format!("touch {ROOTFS}/usr/bin/mine"),
        format!("rm {ROOTFS}/usr/lib/os-release"),
        format!("mount -o remount,rw {ROOTFS}; touch {ROOTFS}/usr/bin/mine"),
        format!("dd if=/dev/zero of={ROOTFS}/dev/mapper/root bs=4096 count=1"),
    ] {
        refused(host, "admin", &line)?;
    }
    typed(host, "admin", &format!("echo mine >{ROOTFS}/etc/mine && cat {ROOTFS}/etc/mine"))?;
    let entries = boot_entries(host)?;
    host.call("apiclient", &["reboot"], None)?;
    host.is_reset()?;
    let changed = host.changed(&before)?;
    host.expect(
        changed.is_empty(),
        &format!("root, hash tree, BOOT, EFI system partitions and the table are as they were {changed:?}"),
    )?;
    host.boots_again("1.0.0")?;
    host.answers("admin", true)?;
    refused(host, "admin", &format!("cat {ROOTFS}/etc/mine"))?;
    let now = boot_entries(host)?;
    host.expect(now == entries, "so are the firmware's boot entries, and what was written to /etc is gone")?;
    // The same look finds a single byte.
    host.disk().write("BOTTLEROCKET-HASH-B", 4096, b"!");
    let changed = host.changed(&before)?;
    host.expect(changed == ["BOTTLEROCKET-HASH-B has other bytes"], "one byte that is written is seen")
}

/// A container that is not superpowered reaches nothing of the host but its API; one that is reaches all of it. Our
/// services are as shut on a host that runs as docs/operating.md says.
pub(in crate::vm::scenario) fn sandbox(host: &mut ContainerHost<'_>) -> Result<(), Unmet> {
    host.build("1.0.0")?;
    host.publish("1.0.0")?;
    host.install()?;
    host.give(Way::Store, "settings.host-containers.control.enabled = true\n")?;
    host.first_boot()?;
    host.call("enable-admin-container", &[], None)?;
    for container in ["control", "admin"] {
        host.answers(container, true)?;
        let said = typed(host, container, "apiclient raw -u /os")?;
        host.expect(said.contains("container-host"), &format!("{container} may ask the API"))?;
    }
    let disk = "mknod /tmp/disk b $(tr : ' ' </sys/block/vda/dev) && dd if=/tmp/disk of=/dev/null count=1";
    for line in [
        format!("cat {ROOTFS}/usr/lib/os-release"),
        format!("cat {ROOTFS}/local/machine-id"),
        format!("mkdir -p /tmp/mine && mount -t tmpfs none /tmp/mine && ls {ROOTFS}/usr"),
        disk.to_owned(),
    ] {
        refused(host, "control", &line)?;
        typed(host, "admin", &line)?;
    }
    let limits = limits()?;
    // By the files that are there: a service manager answers nobody whose process it cannot see.
    let judge = |service: &str, points: &str| {
        format!(
            "chroot {ROOTFS} systemd-analyze security --offline=true --no-pager --threshold={} {UNITS}/{service}.service",
            points.replace('.', "")
        )
    };
    for (service, points) in &limits {
        typed(host, "admin", &judge(service, points))?;
    }
    host.say("✓ none of our services is more exposed than docs/operating.md says");
    let (service, _) = &limits[0];
    refused(host, "admin", &judge(service, "0.1"))?;
    Ok(())
}

/// Runs a line of shell in a host container.
pub(super) fn typed(host: &mut ContainerHost<'_>, container: &str, line: &str) -> Result<String, Unmet> {
    host.call("apiclient", &["exec", container, "sh", "-c", line], None)
}

/// Runs a line of shell in a host container; it must fail.
pub(super) fn refused(host: &mut ContainerHost<'_>, container: &str, line: &str) -> Result<String, Unmet> {
    host.is_refused(&["exec", container, "sh", "-c", line])
}

/// What the firmware's entries are, and in which order it goes through them.
fn boot_entries(host: &mut ContainerHost<'_>) -> Result<String, Unmet> {
    let said = typed(
        host,
        "admin",
        &format!("cd {ROOTFS}/sys/firmware/efi/efivars && sha256sum Boot0* BootOrder-*"),
    );
    said.map(|said| said.replace('\r', ""))
}

/// The most that each of our services may be exposed, in systemd's points.
fn limits() -> Result<Vec<(String, String)>, Unmet> {
    let page = workspace().join("docs/operating.md");
    let page =
        fs::read_to_string(&page).map_err(|error| Unmet::new(format!("read {}: {error}", page.display())))?;
    let rows = page.lines().skip_while(|line| *line != "| service | at most |").skip(2);
    let cells = rows.map_while(|row| row.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "));
    let limits: Vec<_> = cells.map(|(service, limit)| (service.to_owned(), limit.to_owned())).collect();
    if limits.is_empty() {
        Err(Unmet::new("docs/operating.md says how exposed services are"))
    } else {
        Ok(limits)
    }
}
