"""Rules of custody (SB1 S3, S13): the form of jobs and answers, and who may hold the keys of one lot."""
