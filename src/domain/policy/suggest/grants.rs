//! Level, scopes and permissions: of all that the key may be given today, the ones under which every call passes and that
//! open the fewest routes. The vocabulary is small enough to try each.

use super::gates::grants_pass;
use super::{Reason, Used};
use crate::domain::keys::{BillingScope, Grants, Level, Permission, Scope};
use crate::domain::routes::{self, Method, Surface};

/// Writes come first: whoever only read is given `read` and no resource's own permission, which includes its writes.
/// Then fewer words and the lower level, so that none can be left out.
type Weight = (usize, usize, usize, Level);

pub(super) fn least(current: &Grants, used: &[Used], floor: Level) -> Grants {
    let passes = |grants: &Grants| used.iter().all(|used| grants_pass(used.route, grants));
    let least = candidates(current, floor).into_iter().filter(passes).min_by_key(weight);
    // What comes to the same words stays as it was written.
    least.filter(|least| !is_same(least, current)).unwrap_or_else(|| current.clone())
}

fn is_same(one: &Grants, other: &Grants) -> bool {
    let (ours, theirs) = (one.words(), other.words());
    level_of(one) == level_of(other) && ours.len() == theirs.len() && ours.iter().all(|word| theirs.contains(word))
}

fn candidates(current: &Grants, floor: Level) -> Vec<Grants> {
    let all: Vec<_> = match current {
        Grants::External(_) => Scope::ALL.into_iter().map(Grants::External).collect(),
        // A panel key has at least one.
        Grants::Panel(_) => subsets(&Permission::ALL).filter(|list| !list.is_empty()).map(Grants::Panel).collect(),
        Grants::Billing { level: highest, .. } => {
            // `full_access` is all of the others, today's and tomorrow's: never the least. Where two choices open the same
            // routes the first stands: `user_management` alone opens none, so it comes last.
            let plain = [
                BillingScope::AccountCreation,
                BillingScope::AccountManagement,
                BillingScope::BillingOperations,
                BillingScope::UserManagement,
            ];
            let levels = Level::ALL.into_iter().filter(|level| *level >= floor.min(*highest));
            let each = |level| subsets(&plain).map(move |scopes| Grants::Billing { level, scopes });
            levels.flat_map(each).collect()
        }
    };
    all.into_iter().filter(|grants| grants.is_within(current)).collect()
}

/// Every choice of these words, in their order.
fn subsets<T: Copy>(words: &[T]) -> impl Iterator<Item = Vec<T>> {
    let chosen = |mask: u32| (0..words.len()).filter(move |index| mask >> index & 1 == 1).map(|index| words[index]);
    (0..1_u32 << words.len()).map(move |mask| chosen(mask).collect())
}

fn weight(grants: &Grants) -> Weight {
    let surface = match grants {
        Grants::External(_) => Surface::External,
        Grants::Panel(_) => Surface::Panel,
        Grants::Billing { .. } => Surface::Billing,
    };
    let open = routes::rows().filter(|route| route.surface == surface && grants_pass(route, grants));
    let (mut writes, mut rows) = (0, 0);
    for route in open {
        writes += usize::from(route.method != Method::Get);
        rows += 1;
    }
    (writes, rows, grants.words().len(), level_of(grants).unwrap_or(Level::ReadOnly))
}

fn level_of(grants: &Grants) -> Option<Level> {
    match grants {
        Grants::Billing { level, .. } => Some(*level),
        Grants::External(_) | Grants::Panel(_) => None,
    }
}

/// The same grants with one word less, for each word: what is refused then is why the word is there. The lowest scope and
/// the lowest level cannot be taken away; all calls are their reason.
pub(super) fn reasons(grants: &Grants, used: &[Used]) -> Vec<Reason> {
    let of = |setting, word: &str, without: Option<Grants>| {
        let needs = |used: &&Used| without.as_ref().is_none_or(|without| !grants_pass(used.route, without));
        let needing: Vec<_> = used.iter().filter(needs).collect();
        Reason {
            setting,
            word: word.to_owned(),
            calls: needing.iter().map(|used| used.calls).sum(),
            example: needing.into_iter().max_by_key(|used| used.calls).cloned(),
            besides: None,
        }
    };
    match grants {
        Grants::External(scope) => {
            let below = Scope::ALL.into_iter().rfind(|below| below < scope);
            vec![of("scopes", scope.as_str(), below.map(Grants::External))]
        }
        Grants::Panel(list) => {
            let without = |word| Grants::Panel(list.iter().copied().filter(|other| other != word).collect());
            list.iter().map(|word| of("permissions", word.as_str(), Some(without(word)))).collect()
        }
        Grants::Billing { level, scopes } => {
            let lower = Level::ALL.into_iter().rfind(|below| below < level);
            let lower = lower.map(|level| Grants::Billing { level, scopes: scopes.clone() });
            let without = |word| {
                let scopes = scopes.iter().copied().filter(|other| other != word).collect();
                Grants::Billing { level: *level, scopes }
            };
            let of_level = of("permission_level", level.as_str(), lower);
            let of_scopes = scopes.iter().map(|word| of("scopes", word.as_str(), Some(without(word))));
            std::iter::once(of_level).chain(of_scopes).collect()
        }
    }
}
