//! Short texts that differ where what they are made from does.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// Enough that no two configurations of one pool meet in it; it stands in a label of each container.
const BYTES: usize = 6;

/// The fingerprint of a text, in hexadecimal.
pub(super) fn fingerprint(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(BYTES).fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
