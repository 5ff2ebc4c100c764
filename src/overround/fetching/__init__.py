"""HTTP for bookmakers: when each may be asked, what an answer means, and what asking has brought."""
