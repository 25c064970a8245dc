-- returns {epoch, sequence}
return {text(epoch), text(seq)}
