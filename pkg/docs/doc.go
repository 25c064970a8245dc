// Package docs is the example of ws-dev: a component that keeps a document page
// alive (who is here, their cursors, comments, slides), and the page itself. It
// is what a team that uses Sluice would write: it knows the SDK in pkg/component
// and nothing else of the service.
//
// What a client says and hears, all in the namespace "/" (C the client, D this
// component; the arrow with a dot is an acknowledgement):
//
//	C -> D  docs:open     {document, name, hue}      D joins the socket to the document
//	C <.. D               {document, socket, people, comments, slide}
//	C -> D  docs:cursor   {block, x, y, at, away}    about 20 a second
//	C -> D  docs:comment  {text, nonce}
//	C <.. D               {id}
//	C -> D  docs:present  {on, index}                becomes the presenter, or stops
//	C -> D  docs:slide    {index}                    the presenter turns the page
//	C <.. D               {}
//	C <.. D               {error}                    instead of any answer above
//
//	D -> document  docs:presence  {rev, count, people}               durable
//	D -> document  docs:cursor    {socket, name, hue, block, ...}    ephemeral, the newest of each sender
//	D -> document  docs:comment   {id, from, hue, text, at, nonce}   durable, key from the event's mid
//	D -> document  docs:slide     {rev, index, presenter, name}      durable
//	D -> socket    docs:hello     {}                                 say docs:open again
//
// Events come at least once, and those of different sockets side by side. So
// every change is a transition that may be repeated; what is pushed is the state
// after it, with a revision that only rises, and the page keeps the highest; a
// comment is pushed under the key of its first event, which Sluice delivers once.
//
// The state is in memory, of one process: a second one would take half of the
// events. After a restart it is empty, and comes back by
// itself: when a document is opened for the first time, its sockets are looked
// up in the session index and those that are not known are asked to say who
// they are; so is whoever sends something without having opened a document.
// Comments of before are gone, except on the pages that show them.
package docs
