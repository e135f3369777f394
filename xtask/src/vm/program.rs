//! Programs for UEFI that are no kernels: a few instructions in the form that firmware loads.

/// What the headers call a machine.
const X86_64: u16 = 0x8664;
const AARCH64: u16 = 0xaa64;

/// A program that does nothing for ever: it waits for the next interrupt, and again.
pub(super) fn standing_still() -> Vec<u8> {
    // hlt; jmp back to it
    program(X86_64, &[0xf4, 0xeb, 0xfd])
}

/// A program for 64-bit Arm that ends at once, and says that all is well.
pub(super) fn ending_at_once() -> Vec<u8> {
    // mov x0, #0; ret
    program(AARCH64, &[0xd280_0000_u32.to_le_bytes(), 0xd65f_03c0_u32.to_le_bytes()].concat())
}

/// The smallest image with these instructions as its one section.
fn program(machine: u16, instructions: &[u8]) -> Vec<u8> {
    const HEADERS: u32 = 0x200;
    const CODE: u32 = 0x1000;
    let mut bytes = vec![0; 2 * HEADERS as usize];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"MZ");
    put(0x3c, &0x40u32.to_le_bytes());
    put(0x40, b"PE\0\0");
    // One section, and an optional header of 240 bytes.
    put(0x44, &machine.to_le_bytes());
    put(0x46, &1u16.to_le_bytes());
    put(0x54, &240u16.to_le_bytes());
    put(0x56, &0x22u16.to_le_bytes());
    let optional = 0x58;
    put(optional, &0x20bu16.to_le_bytes());
    // Where it starts, the granularity of memory and file, the sizes of image and headers, and 16 empty directories.
    for (at, value) in
        [(16, CODE), (20, CODE), (32, 0x1000), (36, 0x200), (56, 2 * CODE), (60, HEADERS), (108, 16)]
    {
        put(optional + at, &value.to_le_bytes());
    }
    // An application for EFI.
    put(optional + 68, &10u16.to_le_bytes());
    let section = optional + 240;
    put(section, b".text");
    for (at, value) in [(8, 0x200), (12, CODE), (16, 0x200), (20, HEADERS), (36, 0x6000_0020)] {
        put(section + at, &value.to_le_bytes());
    }
    put(HEADERS as usize, instructions);
    bytes
}
