starred = 51
