//! Writes an archive: for its builder, and for tests.

use crate::header::{BLOCK, END, header};
use crate::manifest::Part;
use std::io::{self, Write};

/// Writes the parts, which must be within their limits, in their order.
pub fn write(
    out: &mut dyn Write,
    manifest: &[u8],
    signature: &[u8],
    sbom: &[u8],
    uki: &[u8],
) -> io::Result<()> {
    for (part, content) in Part::ALL.into_iter().zip([manifest, signature, sbom, uki]) {
        if content.len() as u64 > part.limit() {
            let why = format!("{} has {} bytes, more than {}", part.name(), content.len(), part.limit());
            return Err(io::Error::other(why));
        }
        out.write_all(&header(part.name(), content.len() as u64))?;
        out.write_all(content)?;
        out.write_all(&vec![0; content.len().next_multiple_of(BLOCK) - content.len()])?;
    }
    out.write_all(&[0; END])
}
