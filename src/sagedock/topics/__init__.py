"""What topic models share, below the algorithms: documents as counts, vocabularies, requests, measures of topics."""
