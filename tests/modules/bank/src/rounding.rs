//! What the bank keeps of a transfer.

/// The bank's fee, in the smallest coin.
pub const FEE: i64 = 1;
