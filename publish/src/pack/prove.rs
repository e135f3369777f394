//! A pack applied to its base as a host does it, with the code that hosts run, and every byte of what comes out compared.

use std::io;

use blocks::pack::{Base, BaseError, FlatBase, HashImage, Header, ReadAt, Shape, SpanBuilder, TreeBase};
use ring::digest::{Context, SHA256};

/// Applies a pack that is read from `header` and `body`. `hash` is the hash image of the base; none is needed for boot.
/// The failure is a fragment.
pub(crate) fn prove(
    header: &[u8],
    body: &dyn ReadAt,
    base: &dyn ReadAt,
    hash: Option<&dyn ReadAt>,
) -> Result<Header, String> {
    let told = |error: &dyn std::error::Error| format!("failed to {}", host_io::report::chain(error));
    let header = Header::parse(header).map_err(|error| told(&error))?;
    {
        let mut tree;
        let mut flat;
        let base: &mut dyn Base = match (&header.shape, hash) {
            (Shape::Tree { old_root, .. }, Some(hash)) => {
                tree = TreeBase::open(base, hash, *old_root).map_err(|error: BaseError| told(&error))?;
                &mut tree
            }
            (Shape::Flat { old_groups, .. }, None) => {
                flat = FlatBase::new(base, header.old_len, old_groups);
                &mut flat
            }
            _ => return Err("it is for an image of another kind".to_owned()),
        };
        let mut image = HashImage::begin(&header);
        let mut whole = Context::new(&SHA256);
        let mut wrong = None;
        let mut builder = SpanBuilder::new(&header, base);
        let mut frame = Vec::new();
        for (number, span) in header.spans.iter().enumerate() {
            let range = span.body_range();
            frame.resize(span.length as usize, 0);
            body.read_exact_at(&mut frame, range.start).map_err(|error| ended(&error, &told))?;
            builder.build(number, &frame, &|_| true, &mut |group, built| match built {
                Ok(built) => {
                    whole.update(built.data);
                    if let (Some(image), Some(leaves)) = (&mut image, built.leaves) {
                        image.put(group, leaves);
                    }
                }
                Err(error) => {
                    wrong.get_or_insert_with(|| told(error));
                }
            });
            if let Some(wrong) = wrong {
                return Err(wrong);
            }
        }
        if image.is_some_and(|image| image.finish().is_none()) {
            return Err("the hash image that comes of it is not the one that it names".to_owned());
        }
        if let Shape::Flat { new_sha256, .. } = &header.shape
            && whole.finish().as_ref() != new_sha256
        {
            return Err("its groups together are not the image that it names".to_owned());
        }
    }
    Ok(header)
}

fn ended(error: &io::Error, told: &dyn Fn(&dyn std::error::Error) -> String) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "its body ends before its last frame".to_owned();
    }
    told(error)
}
