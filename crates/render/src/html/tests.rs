use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::*;

#[test]
fn the_policy_knows_the_script() {
    let hash = STANDARD.encode(Sha256::digest(SCRIPT));
    assert_eq!(
        SCRIPT_HASH, hash,
        "the script was changed: SCRIPT_HASH must be {hash}"
    );
}

#[test]
fn the_script_stays_small() {
    assert!(SCRIPT.len() <= 10_000, "{} bytes", SCRIPT.len());
    assert!(!SCRIPT.contains("</script") && !STYLE.contains("</style"));
}
