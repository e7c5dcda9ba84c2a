

def test_the_recipes_for_tables_run_and_give_what_the_page_says(tmp_path: Path) -> None:
    lines = run_blocks_of("tables.md", tmp_path)
    print("\n".join(lines))
    assert lines == []
