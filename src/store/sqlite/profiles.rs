//! Makes executions searchable that nobody registered here: those that somebody inserts by hand.

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, Result, Transaction, params};

use crate::domain::history::SearchField;
use crate::store::known_profiles::{Term, profile_id};

/// Gives the migrations `perfreg_profile(repo, lac, …)`.
pub fn add_function(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("perfreg_profile", 8, flags, |context| {
        let mut texts = [None; 8];
        for (index, text) in texts.iter_mut().enumerate() {
            *text = context.get_raw(index).as_str_or_null()?;
        }
        Ok(profile_id(texts))
    })
}

/// Gives executions without a profile theirs, and writes what was not written yet.
pub fn fill_in(transaction: &Transaction<'_>) -> Result<()> {
    let names = SearchField::ALL.map(SearchField::as_str).join(", ");
    let mut select = transaction.prepare(&format!(
        "UPDATE test_executions INDEXED BY perfreg_executions_newest_of_profile SET profile = perfreg_profile({names})
          WHERE profile IS NULL
         RETURNING run_id"
    ))?;
    let filled: Vec<i64> = select.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
    for run_id in &filled {
        let insert = format!(
            "INSERT INTO perfreg_profiles (id, {names}) SELECT profile, {names} FROM test_executions WHERE run_id = ?1
             ON CONFLICT DO NOTHING"
        );
        transaction.prepare_cached(&insert)?.execute([run_id])?;
    }
    if filled.is_empty() { Ok(()) } else { write_terms(transaction) }
}

fn write_terms(transaction: &Transaction<'_>) -> Result<()> {
    let sql = "INSERT INTO perfreg_terms (field, term, folded) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let mut insert = transaction.prepare(sql)?;
    for field in SearchField::ALL {
        let name = field.as_str();
        let select = format!("SELECT DISTINCT {name} FROM perfreg_profiles WHERE {name} IS NOT NULL");
        let terms: Vec<String> =
            transaction.prepare(&select)?.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
        for text in terms {
            let term = Term::new(field, &text);
            insert.execute(params![term.field, term.text, term.folded])?;
        }
    }
    Ok(())
}
