//! Which images machines without a job are made from: those that jobs asked for lately.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::plan::context::Context;
use crate::policy::PoolPolicy;

/// For how long an image counts as asked for lately. Long enough for who works on one thing, short enough that what was used
/// once does not keep its machine for ever.
const LATELY: Duration = Duration::from_hours(1);

/// How many machines of each image a pool shall keep.
pub(super) struct Mix<'a> {
    /// The image that was asked for last comes first.
    of: Vec<(Option<&'a str>, u32)>,
    /// Asked for lately, too, but there are not enough machines for all.
    beyond: Vec<Option<&'a str>>,
}

impl<'a> Mix<'a> {
    /// Spreads `wanted` machines over the images of a pool: each that was asked for lately gets as many as the next, as far
    /// as there are enough, and those asked for last get what does not divide. As long as none was asked for, the first
    /// label's gets all. The one that was asked for last counts however long ago that was.
    pub(super) fn spread(context: &Context<'a>, pool: &'a PoolPolicy, wanted: u32) -> Self {
        let asked = context.state.journal.images_asked_for.get(&pool.id).into_iter().flatten();
        let named = asked.filter(|of| pool.images().any(|image| image == of.image.as_deref()));
        let lately = named.enumerate().filter(|(at, of)| *at == 0 || context.now.since(of.at) < LATELY);
        let mut images: Vec<Option<&str>> = lately.map(|(_, of)| of.image.as_deref()).collect();
        if images.is_empty() {
            images.extend(pool.images().next());
        }
        let beyond = images.split_off(images.len().min(wanted as usize));
        let count = u32::try_from(images.len()).unwrap_or(u32::MAX).max(1);
        let (each, odd) = (wanted / count, wanted % count);
        let of = (0..).zip(images).map(|(at, image)| (image, each + u32::from(at < odd))).collect();
        Self { of, beyond }
    }

    /// How many of an image there shall be.
    pub(super) fn of(&self, image: Option<&str>) -> u32 {
        self.of.iter().find(|(of, _)| *of == image).map_or(0, |(_, share)| *share)
    }

    /// The images that lack machines, those that lack most first.
    pub(super) fn lacking(&self, has: &BTreeMap<Option<&'a str>, u32>) -> Vec<Option<&'a str>> {
        let has = |image| has.get(&image).copied().unwrap_or(0);
        let lack = |(image, share): &(Option<&'a str>, u32)| share.saturating_sub(has(*image));
        let mut lacking: Vec<_> = self.of.iter().filter(|of| lack(of) > 0).collect();
        // It is stable: of equals the one that was asked for last comes first.
        lacking.sort_by_key(|of| std::cmp::Reverse(lack(of)));
        lacking.into_iter().map(|(image, _)| *image).collect()
    }

    /// Whether a machine of an image shall give its place to one of an image that lacks some: its image was not asked for
    /// lately, or there are so many more of it that the other would not have the more afterwards. So jobs that ask for two
    /// images by turns do not make machines go by turns.
    pub(super) fn is_misplaced(&self, image: Option<&'a str>, has: &BTreeMap<Option<&'a str>, u32>) -> bool {
        let count = |image| has.get(&image).copied().unwrap_or(0);
        let is_wanted = self.of(image) > 0 || self.beyond.contains(&image);
        let lacking = self.lacking(has);
        !lacking.is_empty() && (!is_wanted || lacking.into_iter().any(|other| count(image) >= count(other) + 2))
    }
}
