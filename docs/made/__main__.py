"""Write every table, figure and page that is made from what lies in the repository."""

from docs.made import commands, figures, pages


def main() -> None:
    """Write them, and name what changed."""
    made = {**pages.rewritten(), commands.PAGE: commands.page()}
    changed = [path for path, text in made.items() if text != path.read_text(encoding="utf-8")]
    for path in changed:
        path.write_text(made[path], encoding="utf-8")
    for path in [*changed, *figures.draw(figures.IMAGES)]:
        print(path.relative_to(pages.REPOSITORY))


if __name__ == "__main__":
    main()
