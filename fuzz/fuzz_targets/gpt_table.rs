//! A whole disk with a damaged table: judged, and if it can be used, changed so that both copies are whole and equal.
#![no_main]

use fuzz::gpt::Disk;
use fuzz::input::Input;
use libfuzzer_sys::fuzz_target;
use signpost::layout::Layout;
use signpost::table::{Copies, Which, relocate, rewrite};
use signpost::{Command, SetName, transition};

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let plan = input.byte();
    let mut disk = Disk::with_sets();
    disk.damage(&mut input);
    if plan & 1 == 0 {
        disk.seal();
    }
    // A disk that has grown, or was cut.
    match plan >> 1 & 3 {
        1 => disk.bytes.resize(disk.bytes.len() + 64 * 512, 0),
        2 => disk.bytes.truncate(40 * 512),
        _ => {}
    }
    let before = disk.clone();
    let copies = Copies::read(&mut disk);
    assert_eq!(disk.bytes, before.bytes, "looking changes nothing");
    for which in [Which::Primary, Which::Backup] {
        let Some(table) = copies.found(which).table() else { continue };
        for entry in table.entries().used() {
            assert_eq!(table.entries().get(entry.number), Some(entry));
        }
    }
    let command = Command::ALL[usize::from(plan >> 3) % Command::ALL.len()];
    let active = if plan & 0x40 == 0 { SetName::A } else { SetName::B };
    let changed = rewrite(&mut disk, |copies| {
        let (table, _) = copies.current().map_err(|_| "no table")?;
        let layout = Layout::find(table).map_err(|_| "no sets")?;
        let state = layout.state(table.entries(), active).ok_or("no such set")?;
        let next = transition::apply(&state, command).map_err(|_| "refused")?;
        let mut entries = table.entries().clone();
        layout.patch(&mut entries, &next);
        let written = layout.state(&entries, active).map(|state| state.next());
        assert_eq!(written, Some(next.next()), "the table says what was decided");
        Ok::<_, &str>(entries)
    });
    if changed.is_ok() {
        let after = Copies::read(&mut disk);
        assert!(after.are_equal(), "both copies are whole and equal");
        if relocate::<_, &str>(&mut disk).is_ok() {
            assert!(Copies::read(&mut disk).are_equal(), "also after a move");
        }
    } else {
        assert_eq!(disk.bytes, before.bytes, "who refuses writes nothing");
    }
});
