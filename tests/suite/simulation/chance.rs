//! Everything that is left to chance, drawn from one number.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A source of numbers (SplitMix64). Clones draw from the same source.
#[derive(Clone)]
pub struct Chance(Arc<AtomicU64>);

impl Chance {
    pub fn of_seed(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    /// A source of its own for somebody, who then draws the same whatever the others do.
    pub fn fork(&self) -> Self {
        Self::of_seed(self.draw())
    }

    fn draw(&self) -> u64 {
        let mut mixed = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn within(&self, range: RangeInclusive<u32>) -> u32 {
        let (least, most) = range.into_inner();
        let count = u64::from(most - least) + 1;
        least + u32::try_from(self.draw() % count).expect("less than the count")
    }

    pub fn happens(&self, percent: u32) -> bool {
        self.within(1..=100) <= percent
    }

    pub fn pick<T: Clone>(&self, items: &[T]) -> T {
        let last = u32::try_from(items.len() - 1).expect("few items");
        items[self.within(0..=last) as usize].clone()
    }
}
