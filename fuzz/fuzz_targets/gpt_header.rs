//! One header sector: what is accepted describes something on the disk, and can be moved and read again.
#![no_main]

use fuzz::gpt::{SECTOR, seal_header};
use fuzz::input::Input;
use libfuzzer_sys::fuzz_target;
use signpost::table::{Geometry, Header};

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let sealed = !input.byte().is_multiple_of(4);
    let sectors = if input.byte().is_multiple_of(4) { input.u64() } else { 64 };
    let lba = if input.byte().is_multiple_of(2) { 1 } else { sectors.saturating_sub(1) };
    let geometry = Geometry { sector_size: SECTOR as u32, sectors };
    let mut sector = vec![0; SECTOR];
    let rest = input.rest();
    let len = rest.len().min(SECTOR);
    sector[..len].copy_from_slice(&rest[..len]);
    let _any_answer = Header::parse(rest, lba, geometry);
    if sealed {
        seal_header(&mut sector);
    }
    let Ok(header) = Header::parse(&sector, lba, geometry) else { return };
    assert_eq!(header.my_lba(), lba);
    assert!(header.first_usable() <= header.last_usable() && header.last_usable() < geometry.sectors);
    assert!((128..=1 << 20).contains(&header.entries_len()), "its entries fit into memory");
    let mut written = sector.clone();
    header.write_into(&mut written);
    assert_eq!(written, sector, "byte for byte");
    let back = header.placed(lba, header.alternate_lba(), header.entries_lba());
    assert_eq!(back, header, "the same place is the same header");
    let other = header.with_entries(&vec![0; header.entries_len()]);
    let mut sector = vec![0; SECTOR];
    other.write_into(&mut sector);
    assert_eq!(Header::parse(&sector, lba, geometry).as_ref(), Ok(&other), "what is written reads back");
    let _any_place = (header.entries_before(lba, geometry), header.disk_guid(), header.entries_checksum());
});
