"""Pictures of a file for people: a page of HTML (`pemn view`), and a short form for notebooks."""
