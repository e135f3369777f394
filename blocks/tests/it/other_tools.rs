//! What is published as frames is a plain zstd file, and a seekable one, to everybody else.

use std::io::Cursor;
use std::process::Command;

use blocks::encode::Options;
use blocks::encode::all_threads;
use blocks::{FrameSize, Index, Level, RawDigests, encode};

fn image() -> Vec<u8> {
    (0..300_000u32).map(|at| (at / 700 % 251) as u8).collect()
}

fn encoded(image: &[u8]) -> (Vec<u8>, Index) {
    let options = Options {
        frame_size: FrameSize::from_blocks(4).expect("four"),
        level: Level::default(),
        raw_digests: RawDigests::LeaveOut,
        threads: all_threads(),
    };
    let mut data = Vec::new();
    let index = encode(&mut &image[..], &mut data, &options, &mut |_| {}).expect("in memory");
    (data, index)
}

#[test]
fn a_reader_of_the_seekable_format_finds_each_frame() {
    let image = image();
    let (data, index) = encoded(&image);
    let mut reader = zeekstd::Decoder::new(Cursor::new(&data)).expect("it has a seek table");
    let table = reader.seek_table();
    assert_eq!(table.num_frames() as usize, index.frame_count());
    for (number, frame) in (0..).zip(index.frames()) {
        assert_eq!(table.frame_start_comp(number).unwrap(), frame.offset);
        assert_eq!(table.frame_end_comp(number).unwrap(), frame.range().end);
        let raw = index.raw_range(number as usize);
        assert_eq!(table.frame_start_decomp(number).unwrap(), raw.start);
        assert_eq!(table.frame_end_decomp(number).unwrap(), raw.end);
    }
    // From the middle of a frame to the middle of another.
    reader.set_offset(20_000).expect("in the image");
    reader.set_offset_limit(170_001).expect("in the image");
    let mut part = Vec::new();
    std::io::copy(&mut reader, &mut part).expect("decoded");
    assert_eq!(part, image[20_000..170_001]);
}

#[test]
fn the_zstd_program_reads_the_whole_image() {
    let image = image();
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("image.zst");
    std::fs::write(&path, encoded(&image).0).expect("written");
    let output = match Command::new("zstd").args(["-d", "-c"]).arg(&path).output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: the program zstd does not run here ({error})");
            return;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == image, "it gives other bytes");
}
