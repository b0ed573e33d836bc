//! A profile of the workers for an operator: one at a time, and none any more when the operator has gone.

use tapster_sys::inbox::Sampling;

use crate::Command;

use super::protocol::success;
use super::stacks::Collection;
use super::{Asker, Control, Scene, Time};

impl Control {
    /// Asks the workers, unless they are at work on another one.
    pub(super) fn begin_profile(
        &mut self,
        id: Asker,
        sampling: Sampling,
        scene: &Scene<'_>,
    ) -> Option<Command> {
        if self.is_front {
            return self.refuse(id, "there is no application in this server", scene.now);
        }
        if !(1..=Sampling::MOST_SECONDS).contains(&sampling.seconds)
            || !(1..=Sampling::MOST_RATE).contains(&sampling.rate)
        {
            let error = format!(
                "a profile takes 1 to {} seconds, with 1 to {} looks a second",
                Sampling::MOST_SECONDS,
                Sampling::MOST_RATE
            );
            return self.refuse(id, error, scene.now);
        }
        if self.profile.is_some() {
            return self.refuse(
                id,
                "another profile is being made; try again when that has ended",
                scene.now,
            );
        }
        self.note_order("profile", id);
        self.profile = Some((id, Collection::begin_profile(scene, sampling)));
        None
    }

    /// Answers when there is nothing more to wait for.
    pub(super) fn tell_profile(&mut self, now: Time) {
        let Some((id, profile)) = &self.profile else { return };
        if self.has_left(*id) {
            // The workers see that nobody reads any more.
            self.profile = None;
        } else if let Some(result) = profile.result(now) {
            let id = *id;
            self.reply(id, &success(result), now);
            (self.profile, self.has_work) = (None, true);
        }
    }
}
