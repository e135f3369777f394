//! What the firmware makes of a table, before any program runs, and what its bits say of a set.

use std::path::Path;

use testdata::{BootBits, Host, HostOptions};

use super::tree::{Hash, Hasher};

/// Lets the firmware of the host in `dir` pick, mend and pay. Which set it picked and what the table is then, as one, and
/// whether both copies are whole. A set whose last start is paid now and one whose last start was paid before leave the same
/// table, and only the first one starts.
pub(super) fn pick(dir: &Path) -> (Hash, bool) {
    let mut host = Host::found_in(dir, HostOptions::default());
    let mut hasher = Hasher::new();
    hasher.add(format!("{:?}", host.lose_power_in_boot()).as_bytes());
    for (_, bytes) in host.disk().tables() {
        hasher.add(&bytes);
    }
    (hasher.end(), host.disk().whole_tables() == [true, true])
}

/// Whether a boot program would start it.
pub(super) fn bootable(bits: BootBits) -> bool {
    bits.priority > 0 && (bits.tries > 0 || bits.successful)
}

/// Whether it waits for its first boot, or to be told that it boots next.
pub(super) fn waits(bits: BootBits) -> bool {
    bits.tries > 0 && !bits.successful
}

#[cfg(test)]
mod tests {
    use testdata::{DiskImage, Layout, Set};

    use super::*;

    #[test]
    fn a_start_that_is_paid_now_is_told_from_one_that_was_paid_before() {
        let picked = |tries| {
            let dir = tempfile::tempdir().expect("temporary directory");
            let disk =
                DiskImage::create(&dir.path().join("disk.img"), &Layout::default(), "same").expect("made");
            disk.set_bits(Set::A, BootBits { priority: 1, tries: 0, successful: true });
            disk.set_bits(Set::B, BootBits { priority: 2, tries, successful: false });
            let picked = pick(dir.path());
            (picked, disk.bits(Set::B))
        };
        let ((now, _), paid_now) = picked(1);
        let ((before, _), paid_before) = picked(0);
        assert_eq!(paid_now, paid_before, "the tables are the same then");
        assert_ne!(now, before);
    }

    #[test]
    fn a_set_waits_until_it_is_started_or_proven() {
        let waiting = [(0, 1, false), (2, 1, false), (2, 0, false), (1, 0, true), (0, 0, false)]
            .map(|(priority, tries, successful)| waits(BootBits { priority, tries, successful }));
        assert_eq!(waiting, [true, true, false, false, false]);
    }
}
