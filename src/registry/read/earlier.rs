//! The earlier runs of a test.

use crate::domain::execution::Execution;
use crate::domain::history::Cursor;
use crate::domain::schedule::earlier::{MOST_EARLIER, filter_of, tells_duration};
use crate::domain::schedule::estimate::Alike;
use crate::registry::{Registry, RegistryError};

/// So many are read at once: among them are those that wait, run, or never ran.
const READ_AT_ONCE: usize = 2 * MOST_EARLIER;
/// So often is read on. A test that is tried again and again while its location is full shows fewer of its runs.
const MOST_READS: usize = 5;

impl Registry {
    /// The last runs of the same test that started before this one and have ended, oldest first; at most [`MOST_EARLIER`].
    ///
    /// # Errors
    /// If the database did not answer.
    pub async fn earlier(&self, run: &Execution) -> Result<Vec<Execution>, RegistryError> {
        let alike = Alike::of(&run.details);
        let filter = filter_of(&alike);
        let (mut found, mut after) = (Vec::new(), Some(Cursor::after(run)));
        for _ in 0..MOST_READS {
            let page = self.executions(&filter, after, READ_AT_ONCE).await?;
            found.extend(page.executions.into_iter().filter(|other| tells_duration(other, &alike)));
            after = page.next;
            if after.is_none() || found.len() >= MOST_EARLIER {
                break;
            }
        }
        found.truncate(MOST_EARLIER);
        found.reverse();
        Ok(found)
    }
}
