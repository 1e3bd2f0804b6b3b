//! Keeps what is written within so many bytes, however much there is to tell and however long its names are. Pure.

/// Writes and joins the items that fit into `budget` bytes, from the first on. Returns the text and how many are left out.
pub(super) fn fitting<T>(
    items: impl IntoIterator<Item = T>,
    budget: usize,
    write: impl Fn(T) -> String,
) -> (String, usize) {
    let mut text = String::new();
    let mut left_out = 0;
    for item in items {
        let row = if left_out == 0 {
            write(item)
        } else {
            String::new()
        };
        if left_out > 0 || text.len() + row.len() > budget {
            left_out += 1;
        } else {
            text.push_str(&row);
        }
    }
    (text, left_out)
}

/// Finds how many, up to `most`, can be listed of each group so that `write` stays within `budget` bytes, and returns what it writes
/// then; with none it is taken as it is. An eighth may be left empty. `write` may stop once it is past the budget.
pub(super) fn widest(most: usize, budget: usize, write: impl Fn(usize) -> String) -> String {
    let (mut fits, mut text) = (0, None);
    let mut too_many = most + 1;
    let mut tried = most;
    while fits < tried && tried < too_many {
        let written = write(tried);
        if written.len() > budget {
            too_many = tried;
        } else {
            let is_full = written.len() > budget / 8 * 7;
            (fits, text) = (tried, Some(written));
            if is_full {
                break;
            }
        }
        tried = fits.midpoint(too_many);
    }
    text.unwrap_or_else(|| write(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_end_where_the_budget_does() {
        let rows = ["aaa", "bb", "cccc", "d"];
        for (budget, text, left_out) in [
            (100, "aaabbccccd", 0),
            (5, "aaabb", 2),
            (6, "aaabb", 2),
            (0, "", 4),
        ] {
            assert_eq!(
                fitting(rows, budget, str::to_owned),
                (text.to_owned(), left_out)
            );
        }
    }

    #[test]
    fn as_much_as_fits_is_listed() {
        for budget in 0..40 {
            let text = widest(30, budget, |most| "x".repeat(most));
            let most = budget.min(30);
            assert!((most / 8 * 7..=most).contains(&text.len()), "{budget}");
        }
        assert_eq!(widest(30, 2, |most| "x".repeat(most + 5)), "xxxxx");
    }
}
