// For those who look at the console first.
const command = document.querySelector('#command').textContent;
const folder = document.querySelector('#folder').textContent;
console.error(`The Socket.IO client is not in ${folder}. Run "${command}" and load the page again.`);
