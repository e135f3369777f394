//! Who uses a block device: what is told to whoever must not write to it meanwhile.
//!
//! A claim on the device (`O_EXCL`) is refused by the kernel where it is mounted, swapped to, or a part of a mapping or a
//! mirror; a loop device over it makes no claim of its own and is looked for as well. The kernel says only "busy": who it
//! is stands in its lists.

use std::fs;
use std::path::{Path, PathBuf};

use crate::discover::sysfs::{DeviceNumber, device_of};

/// Everybody who is known to use a device, the rest of a sentence each: "it is …".
pub(crate) fn of(device: DeviceNumber) -> Vec<String> {
    let mut users = mounts(device);
    users.extend(swaps(device));
    users.extend(holders(device));
    users.extend(loops(device));
    users
}

/// Loop devices over a device, which the kernel lets anybody write below.
pub(crate) fn loops(device: DeviceNumber) -> Vec<String> {
    let mut users = Vec::new();
    for entry in fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let backing = entry.path().join("loop/backing_file");
        let Ok(file) = fs::read_to_string(backing) else { continue };
        if device_of(Path::new(file.trim_end())) == Some(device) {
            users.push(format!("below the loop device /dev/{}", entry.file_name().display()));
        }
    }
    users.sort();
    users
}

/// Where it is mounted; in other name spaces, such as those of containers, where nobody has it mounted here.
fn mounts(device: DeviceNumber) -> Vec<String> {
    let in_list = |path: PathBuf| {
        let list = fs::read_to_string(path).unwrap_or_default();
        mounts_in(&list, device)
    };
    let here = in_list("/proc/self/mountinfo".into());
    if !here.is_empty() {
        return here.into_iter().map(|place| format!("mounted at {place}")).collect();
    }
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !name.as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        if let Some(place) = in_list(entry.path().join("mountinfo")).into_iter().next() {
            return vec![format!("mounted at {place}, as process {} sees it", name.display())];
        }
    }
    Vec::new()
}

/// The places where a list of mounts has a device.
fn mounts_in(list: &str, device: DeviceNumber) -> Vec<String> {
    let number = format!("{}:{}", device.major, device.minor);
    list.lines()
        .filter_map(|line| {
            // "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw"
            let mut fields = line.split(' ').skip(2);
            (fields.next() == Some(&number)).then(|| fields.nth(1)).flatten()
        })
        .map(|place| place.replace("\\040", " "))
        .collect()
}

fn swaps(device: DeviceNumber) -> Vec<String> {
    let list = fs::read_to_string("/proc/swaps").unwrap_or_default();
    let areas = list.lines().skip(1).filter_map(|line| line.split_whitespace().next());
    let ours = areas.filter(|area| device_of(Path::new(area)) == Some(device));
    ours.map(|area| format!("a swap area (swapoff {area})")).collect()
}

/// Mappings and mirrors that stand on it.
fn holders(device: DeviceNumber) -> Vec<String> {
    let dir = format!("/sys/dev/block/{}:{}/holders", device.major, device.minor);
    let mut holders: Vec<String> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| {
            let name = entry.file_name();
            let called = fs::read_to_string(entry.path().join("dm/name")).unwrap_or_default();
            match called.trim() {
                "" => format!("a part of /dev/{}", name.display()),
                called => format!("a part of /dev/{} ({called})", name.display()),
            }
        })
        .collect();
    holders.sort();
    holders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_found_in_a_list_of_mounts_by_its_number() {
        let list = "29 1 259:3 / / ro - squashfs /dev/root ro\n\
                    36 29 259:13 / /mnt/a\\040b rw,noatime master:1 - ext4 /dev/nvme0n1p6 rw\n\
                    37 29 259:13 /x /y rw - ext4 /dev/nvme0n1p6 rw\n";
        let device = |minor| DeviceNumber { major: 259, minor };
        assert_eq!(mounts_in(list, device(13)), ["/mnt/a b", "/y"]);
        assert_eq!(mounts_in(list, device(1)), [""; 0]);
    }
}
